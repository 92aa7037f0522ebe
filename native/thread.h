#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace llamero {

/// A thread with an explicit stack: llama.cpp's tokenizers recurse once per character of some inputs, and the
/// platform's default may be as small as 128 KiB. The body must not throw.
class Thread {
 public:
  static constexpr size_t kDefaultStack = size_t{16} << 20;

  explicit Thread(std::function<void()> body, size_t stack_bytes = kDefaultStack);
  /// Joins.
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  /// REQUIRES: not called on the thread itself. Idempotent.
  void Join();

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace llamero
