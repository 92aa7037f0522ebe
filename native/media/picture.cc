#include "media/picture.h"

#include <climits>
#include <cstdlib>
#include <memory>
#include <string>

namespace llamero {
namespace {

// What stb may take in one piece. It unpacks whatever a PNG's data come to, and a few MB of file can come to 4 GiB.
constexpr size_t kLeastBytes = size_t{1} << 20;
thread_local size_t most_bytes = kLeastBytes;

void* Allocate(size_t bytes) { return bytes > most_bytes ? nullptr : std::malloc(bytes); }
void* Reallocate(void* block, size_t bytes) { return bytes > most_bytes ? nullptr : std::realloc(block, bytes); }

/// Four channels of 16 bits a pixel, twice, since buffers double, and the sides rounded up to JPEG's blocks; or a copy of
/// the file in a buffer that doubles.
size_t MostBytes(int width, int height, size_t file) {
  constexpr size_t kBlock = 64;
  constexpr size_t kForPixel = 16;
  const size_t pixels = (static_cast<size_t>(width) + kBlock) * (static_cast<size_t>(height) + kBlock);
  return kLeastBytes + kForPixel * pixels + 2 * file;
}

}  // namespace
}  // namespace llamero

// Only what is asked for: stb's other decoders have had most of its published errors.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MALLOC llamero::Allocate
#define STBI_REALLOC llamero::Reallocate
#define STBI_FREE std::free
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image.h>
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

#include "failure.h"

namespace llamero {
namespace {

constexpr int kMostSide = 8192;
constexpr int kChannels = 3;

}  // namespace

Picture DecodePicture(std::span<const uint8_t> bytes) {
  if (bytes.size() > INT_MAX) throw Failure("ERR_MEDIA_INVALID", "The image is too large.");
  const auto size = static_cast<int>(bytes.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  const bool known = stbi_info_from_memory(bytes.data(), size, &width, &height, &channels) != 0;
  if (!known || width < 1 || height < 1 || width > kMostSide || height > kMostSide) {
    throw Failure("ERR_MEDIA_INVALID", "The image is neither a PNG nor a JPEG that can be decoded.");
  }
  most_bytes = MostBytes(width, height, bytes.size());
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), size, &width, &height, &channels, kChannels), stbi_image_free);
  if (!pixels) {
    const char* given = stbi_failure_reason();
    const std::string reason = given == nullptr ? "no reason" : given;
    const bool bursts = reason == "outofmem";
    throw Failure("ERR_MEDIA_INVALID",
                  "The image is damaged: " + (bursts ? "it takes more memory than its pixels need" : reason) + ".");
  }
  const size_t length = static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels;
  return {static_cast<uint32_t>(width), static_cast<uint32_t>(height), {pixels.get(), pixels.get() + length}};
}

}  // namespace llamero
