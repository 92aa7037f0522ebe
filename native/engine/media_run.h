#pragma once

#include <llama.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

// A picture or a sound stands in a request's tokens as a run of ids that no vocabulary has: negative ones, made of the
// content's SHA-256. So the same content at the same place is the same prefix for all that compares tokens: the prefix
// tree, snapshots, files, sessions. The ids say where their run begins and how many positions it takes, so that what
// they mean survives a restart; what a run computes with is known to the request alone.
//
//   bit 31: set, the id is negative
//   bit 30: set in the first id of a run only
//   bit 29: in the first id, whether bits 14 to 28 are the positions that the run takes, other than one for each id
//   the rest: bits of the digest, all of them within ten ids
//
// -1 is llama.cpp's LLAMA_TOKEN_NULL and never made.

using MediaDigest = std::array<uint8_t, 32>;

/// The ids of part `index` of a medium. REQUIRES: tokens >= 1; 0 <= positions <= kMostMediaPositions.
std::vector<llama_token> MediaRun(const MediaDigest& digest, int64_t index, int64_t tokens, int64_t positions);
constexpr int64_t kMostMediaPositions = 0x7ffe;

inline bool IsMedia(llama_token id) { return id < LLAMA_TOKEN_NULL; }
bool BeginsMedia(llama_token id);

/// The largest number of first tokens, at most `length`, that cuts no run in two.
int64_t WholeLength(std::span<const llama_token> tokens, int64_t length);
/// The smallest number of first tokens, at least `length`, that does.
int64_t WholeLengthAfter(std::span<const llama_token> tokens, int64_t length);
/// The position of what follows the first `length` tokens. REQUIRES: they cut no run in two.
int64_t PositionBehind(std::span<const llama_token> tokens, int64_t length);
/// The position of the last token: for a run that takes fewer positions than tokens, where it begins.
int64_t LastPosition(std::span<const llama_token> tokens);

}  // namespace llamero
