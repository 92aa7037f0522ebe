#pragma once

#include <string>
#include <vector>

namespace llamero {

/// One ggml module for CPUs beside the addon.
struct CpuModule {
  std::string name;  // such as "zen4"
  std::string path;
  int score = 0;                     // ggml's own; 0: this machine lacks an instruction set it was compiled for
  std::vector<std::string> kernels;  // of ours: "attention", "products"
};

struct Device {
  std::string name;
  std::string description;
  std::string type;
  size_t total_bytes = 0;
  size_t free_bytes = 0;
};

struct BackendReport {
  std::string cpu_module;
  std::vector<Device> devices;
};

/// The CPU modules in `directory`, best first.
std::vector<CpuModule> FindCpuModules(const std::string& directory);

/// Loads the backends of `directory` once per process: the CPU module `cpu_module` ("" for the best) and every other
/// backend found. Later calls answer with what is loaded. Nothing is ever searched for elsewhere: ggml's own search
/// would look into the current directory and obey GGML_BACKEND_PATH.
/// Throws Failure: ERR_NATIVE_MISSING if no CPU module runs here.
BackendReport LoadBackends(const std::string& directory, const std::string& cpu_module);

}  // namespace llamero
