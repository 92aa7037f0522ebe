#include "library.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace llamero {

#ifdef _WIN32
Library::Library(const std::string& path) : handle_(LoadLibraryA(path.c_str())) {}
Library::~Library() {
  if (handle_ != nullptr) FreeLibrary(static_cast<HMODULE>(handle_));
}
void* Library::Find(const char* name) const {
  return loaded() ? reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name)) : nullptr;
}
#else
Library::Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
Library::~Library() {
  if (handle_ != nullptr) dlclose(handle_);
}
void* Library::Find(const char* name) const { return loaded() ? dlsym(handle_, name) : nullptr; }
#endif

}  // namespace llamero
