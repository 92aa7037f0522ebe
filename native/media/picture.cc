#include "media/picture.h"

#include <climits>
#include <memory>
#include <string>

// Only what is asked for: stb's other decoders have had most of its published errors.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
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
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), size, &width, &height, &channels, kChannels), stbi_image_free);
  if (!pixels) {
    const char* reason = stbi_failure_reason();
    throw Failure("ERR_MEDIA_INVALID", std::string("The image is damaged: ") + (reason ? reason : "no reason") + ".");
  }
  const size_t length = static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels;
  return {static_cast<uint32_t>(width), static_cast<uint32_t>(height), {pixels.get(), pixels.get() + length}};
}

}  // namespace llamero
