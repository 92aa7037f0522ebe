#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/prefix_tree.h"

namespace llamero {

/// What a snapshot on disk is of. It is of use only where all of it is the same.
struct SnapshotHead {
  std::string fingerprint;  // what it was computed by
  std::string root;         // for whom, and with which adapters
  std::vector<PrefixTree::Token> tokens;

  bool operator==(const SnapshotHead&) const = default;
};

/// A snapshot in a file of its own, in the byte order of the machine:
///
/// | bytes | what |
/// |---|---|
/// | 8 | `llamero` and the version of the format, 1 |
/// | 4 × 8 | lengths: of the fingerprint, of the root, of the tokens (4 bytes each), of the state |
/// | | fingerprint, root, tokens |
/// | 8 | checksum of all before |
/// | | llama.cpp's state |
/// | 8 | checksum of the state |
///
/// The checksums find damage, not malice: who may write into the folder can make llama.cpp read what he likes.
///
/// Written under another name first, so that a file is there as a whole or not at all; not flushed to the medium, since
/// what a crash of the machine tears is found and costs a computation. False if it could not be written: nothing is
/// left of it then.
bool WriteSnapshotFile(const std::filesystem::path& path, const SnapshotHead& head, std::span<const uint8_t> state);

/// Bytes of its file.
int64_t SnapshotFileBytes(const SnapshotHead& head, size_t state_bytes);

struct ListedSnapshot {
  SnapshotHead head;
  int64_t state_bytes = 0;
};
/// Nothing if the file has not the size that its head says, or its head is damaged.
std::optional<ListedSnapshot> ReadSnapshotHead(const std::filesystem::path& path);
/// Nothing if the file is not whole and undamaged, or of something else.
std::optional<std::vector<uint8_t>> ReadSnapshotState(const std::filesystem::path& path, const SnapshotHead& expected);

/// What files end with while they are written.
inline constexpr const char* kPartialEnding = ".partial";

}  // namespace llamero
