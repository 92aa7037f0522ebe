#include "engine/snapshot_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

namespace llamero {
namespace {

constexpr std::array<char, 8> kMagic{'l', 'l', 'a', 'm', 'e', 'r', 'o', 1};

/// Eight bytes at a time, each step one to one: a change within eight bytes always changes it. Some 5 GB/s.
class Checksum {
 public:
  void Add(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    for (; size >= sizeof(uint64_t); bytes += sizeof(uint64_t), size -= sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes, sizeof word);
      Mix(word);
    }
    uint64_t rest = size + 1;
    for (size_t i = 0; i < size; i++) rest = rest << 8 | bytes[i];
    Mix(rest);
  }
  uint64_t value() const { return value_; }

 private:
  void Mix(uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 32;
  }
  uint64_t value_ = 0x6c6c616d65726f01;
};

struct Lengths {
  uint64_t fingerprint = 0;
  uint64_t root = 0;
  uint64_t tokens = 0;
  uint64_t state = 0;
};

constexpr uint64_t kFixedBytes = kMagic.size() + sizeof(Lengths) + 2 * sizeof(uint64_t);

uint64_t SumOf(const SnapshotHead& head, const Lengths& lengths) {
  Checksum sum;
  sum.Add(kMagic.data(), kMagic.size());
  sum.Add(&lengths, sizeof lengths);
  sum.Add(head.fingerprint.data(), head.fingerprint.size());
  sum.Add(head.root.data(), head.root.size());
  sum.Add(head.tokens.data(), head.tokens.size() * sizeof(PrefixTree::Token));
  return sum.value();
}

uint64_t SumOf(std::span<const uint8_t> state) {
  Checksum sum;
  sum.Add(state.data(), state.size());
  return sum.value();
}

template <typename Value>
void Put(std::ostream& file, const Value* values, size_t count) {
  file.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(Value)));
}

template <typename Value>
void Get(std::istream& file, Value* values, size_t count) {
  file.read(reinterpret_cast<char*>(values), static_cast<std::streamsize>(count * sizeof(Value)));
}

std::optional<ListedSnapshot> ReadHead(std::istream& file, uint64_t size) {
  std::array<char, kMagic.size()> magic{};
  Lengths lengths;
  Get(file, magic.data(), magic.size());
  Get(file, &lengths, 1);
  if (!file || magic != kMagic) return std::nullopt;
  const auto [fingerprint, root, tokens, state] = lengths;
  if (std::max({fingerprint, root, tokens, state}) > size) return std::nullopt;  // before they are added or reserved
  if (kFixedBytes + fingerprint + root + tokens * sizeof(PrefixTree::Token) + state != size) return std::nullopt;
  ListedSnapshot listed;
  listed.state_bytes = static_cast<int64_t>(state);
  SnapshotHead& head = listed.head;
  head.fingerprint.resize(fingerprint);
  head.root.resize(root);
  head.tokens.resize(tokens);
  Get(file, head.fingerprint.data(), fingerprint);
  Get(file, head.root.data(), root);
  Get(file, head.tokens.data(), tokens);
  uint64_t sum = 0;
  Get(file, &sum, 1);
  if (!file || sum != SumOf(head, lengths)) return std::nullopt;
  return listed;
}

uint64_t SizeOf(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

bool WriteSnapshotFile(const std::filesystem::path& path, const SnapshotHead& head, std::span<const uint8_t> state) {
  using std::filesystem::perms;
  std::filesystem::path partial = path;
  partial += kPartialEnding;
  std::error_code error;
  bool written = false;
  {
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    std::filesystem::permissions(partial, perms::owner_read | perms::owner_write, error);  // before anything is in it
    const Lengths lengths{head.fingerprint.size(), head.root.size(), head.tokens.size(), state.size()};
    const uint64_t head_sum = SumOf(head, lengths);
    const uint64_t state_sum = SumOf(state);
    if (!error) {
      Put(file, kMagic.data(), kMagic.size());
      Put(file, &lengths, 1);
      Put(file, head.fingerprint.data(), head.fingerprint.size());
      Put(file, head.root.data(), head.root.size());
      Put(file, head.tokens.data(), head.tokens.size());
      Put(file, &head_sum, 1);
      Put(file, state.data(), state.size());
      Put(file, &state_sum, 1);
      file.close();
      written = file.good();
    }
  }
  if (written) std::filesystem::rename(partial, path, error);
  if (written && !error) return true;
  std::filesystem::remove(partial, error);
  return false;
}

int64_t SnapshotFileBytes(const SnapshotHead& head, size_t state_bytes) {
  return static_cast<int64_t>(kFixedBytes + head.fingerprint.size() + head.root.size() +
                              head.tokens.size() * sizeof(PrefixTree::Token) + state_bytes);
}

std::optional<ListedSnapshot> ReadSnapshotHead(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return ReadHead(file, SizeOf(path));
}

std::optional<std::vector<uint8_t>> ReadSnapshotState(const std::filesystem::path& path, const SnapshotHead& expected) {
  std::ifstream file(path, std::ios::binary);
  const std::optional<ListedSnapshot> listed = ReadHead(file, SizeOf(path));
  if (!listed || listed->head != expected) return std::nullopt;
  std::vector<uint8_t> state(static_cast<size_t>(listed->state_bytes));
  Get(file, state.data(), state.size());
  uint64_t sum = 0;
  Get(file, &sum, 1);
  if (!file || sum != SumOf(state)) return std::nullopt;
  return state;
}

}  // namespace llamero
