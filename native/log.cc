#include "log.h"

#include <ggml.h>
#include <llama.h>
#include <mtmd.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <vector>

// From common/log.h, which has the name of our own header.
void common_log_set_verbosity_thold(int verbosity);

namespace llamero {
namespace {

constexpr size_t kMaxLines = 32;
// What llama.cpp and the backends say of weights, caches and buffers that they got no memory for.
constexpr const char* kOutOfMemory[] = {"out of memory", "unable to allocate", "failed to allocate"};

struct Captured {
  int depth = 0;
  bool continues = false;
  std::vector<std::string> lines;
};
thread_local Captured captured;

void Sink(ggml_log_level level, const char* text, void*) noexcept {
  if (captured.depth == 0 || text == nullptr) return;
  try {
    if (level == GGML_LOG_LEVEL_CONT) {
      if (captured.continues && !captured.lines.empty()) captured.lines.back() += text;
      return;
    }
    captured.continues = level == GGML_LOG_LEVEL_ERROR || level == GGML_LOG_LEVEL_WARN;
    if (captured.continues && captured.lines.size() < kMaxLines) captured.lines.emplace_back(text);
  } catch (...) {
    // Out of memory while logging: the line is lost, the operation goes on.
  }
}

/// "llama_model_load: error loading model: bad magic\n" → "error loading model: bad magic"
std::string WithoutPrefix(std::string line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  const size_t colon = line.find(": ");
  if (colon != std::string::npos && line.find(' ') > colon) line.erase(0, colon + 2);
  return line;
}

}  // namespace

void InstallLogSink() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(Sink, nullptr);
    constexpr int kNothing = -1;
    common_log_set_verbosity_thold(kNothing);
    mtmd_log_set(Sink, nullptr);
  });
}

LogCapture::LogCapture() {
  if (captured.depth++ == 0) captured.lines.clear();
}

LogCapture::~LogCapture() { captured.depth--; }

std::string LogCapture::Reason(const std::string& fallback) const {
  // The first line is the cause; what follows repeats it on the way out.
  for (const std::string& line : captured.lines) {
    std::string text = WithoutPrefix(line);
    if (!text.empty()) return text;
  }
  return fallback;
}

std::vector<std::string> LogCapture::LinesEndingIn(std::string_view ending) const {
  std::vector<std::string> found;
  for (const std::string& line : captured.lines) {
    const std::string text = WithoutPrefix(line);
    if (text.ends_with(ending)) found.push_back(text.substr(0, text.size() - ending.size()));
  }
  return found;
}

bool LogCapture::SaysOutOfMemory() const {
  return std::any_of(captured.lines.begin(), captured.lines.end(), [](const std::string& line) {
    return std::any_of(std::begin(kOutOfMemory), std::end(kOutOfMemory),
                       [&](const char* words) { return line.find(words) != std::string::npos; });
  });
}

}  // namespace llamero
