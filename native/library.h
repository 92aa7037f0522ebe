#pragma once

#include <string>

namespace llamero {

/// A shared library opened for a look at its symbols and closed again.
class Library {
 public:
  explicit Library(const std::string& path);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool loaded() const { return handle_ != nullptr; }

  /// The function of that name, or nullptr.
  template <typename Function>
  Function Symbol(const char* name) const {
    return reinterpret_cast<Function>(Find(name));
  }

 private:
  void* Find(const char* name) const;

  void* handle_;
};

}  // namespace llamero
