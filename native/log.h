#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llamero {

/// Sends llama.cpp's and mtmd's log lines to our sink instead of stderr. Once per process, before backends load.
void InstallLogSink();

/// Keeps the warnings and errors that this thread logs while it lives. llama.cpp returns NULL on failure and tells the
/// reason only there.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// The last error line without llama.cpp's function prefix, or `fallback`.
  std::string Reason(const std::string& fallback) const;

  /// Every error line that ends with `ending`, without prefix and ending.
  std::vector<std::string> LinesEndingIn(std::string_view ending) const;

  /// Whether a line says that memory was not to be had, the machine's or a device's. llama.cpp has no other sign of it.
  bool SaysOutOfMemory() const;
};

}  // namespace llamero
