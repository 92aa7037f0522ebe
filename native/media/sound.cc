#include "media/sound.h"

#include <string>

#define MINIAUDIO_IMPLEMENTATION
#define MA_NO_ENCODING
#define MA_NO_DEVICE_IO
#define MA_NO_RESOURCE_MANAGER
#define MA_NO_NODE_GRAPH
#define MA_NO_ENGINE
#define MA_NO_GENERATION
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <miniaudio/miniaudio.h>
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

#include "failure.h"

namespace llamero {
namespace {

constexpr size_t kMostMinutes = 30;
constexpr size_t kBlock = 65536;

class Decoder {
 public:
  Decoder(std::span<const uint8_t> bytes, int rate) {
    const ma_decoder_config config = ma_decoder_config_init(ma_format_f32, 1, static_cast<ma_uint32>(rate));
    if (ma_decoder_init_memory(bytes.data(), bytes.size(), &config, &decoder_) != MA_SUCCESS) {
      throw Failure("ERR_MEDIA_INVALID", "The audio is no WAV, MP3 or FLAC that can be decoded.");
    }
  }
  ~Decoder() { ma_decoder_uninit(&decoder_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Samples read; fewer than asked for at the end.
  size_t Read(std::span<float> into) {
    ma_uint64 read = 0;
    const ma_result result = ma_decoder_read_pcm_frames(&decoder_, into.data(), into.size(), &read);
    if (result != MA_SUCCESS && result != MA_AT_END) throw Failure("ERR_MEDIA_INVALID", "The audio is damaged.");
    return static_cast<size_t>(read);
  }

 private:
  ma_decoder decoder_{};
};

}  // namespace

/// Block by block: what a header says of the length may be anything.
std::vector<float> DecodeSound(std::span<const uint8_t> bytes, int rate) {
  Decoder decoder(bytes, rate);
  const size_t most = kMostMinutes * 60 * static_cast<size_t>(rate);
  std::vector<float> samples;
  while (true) {
    const size_t before = samples.size();
    samples.resize(before + kBlock);
    const size_t read = decoder.Read(std::span(samples).subspan(before));
    samples.resize(before + read);
    if (read == 0) break;
    if (samples.size() > most) {
      throw Failure("ERR_MEDIA_INVALID",
                    "The audio is longer than " + std::to_string(kMostMinutes) + " minutes; give a shorter piece.");
    }
  }
  if (samples.empty()) throw Failure("ERR_MEDIA_INVALID", "The audio holds no sound, or is damaged.");
  return samples;
}

}  // namespace llamero
