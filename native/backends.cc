#include "backends.h"

#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "failure.h"
#include "library.h"
#include "log.h"

namespace llamero {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCpuInfix = "ggml-cpu";

// Loaded before the CPU, in ggml's own order of preference among devices of one kind.
constexpr const char* kAccelerators[] = {"cuda", "hip", "metal", "vulkan"};

std::string DeviceType(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "igpu";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
      return "accel";
    default:
      return "meta";
  }
}

std::vector<Device> ListDevices() {
  std::vector<Device> devices;
  for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    Device entry{ggml_backend_dev_name(device), ggml_backend_dev_description(device), DeviceType(device)};
    ggml_backend_dev_memory(device, &entry.free_bytes, &entry.total_bytes);
    devices.push_back(std::move(entry));
  }
  return devices;
}

std::string ModuleName(const fs::path& file) {
  const std::string stem = file.stem().string();
  const size_t at = stem.find(kCpuInfix);
  if (at == std::string::npos) return "";
  const std::string rest = stem.substr(at + kCpuInfix.size());
  return rest.empty() ? "default" : rest.substr(1);
}

std::vector<std::string> KernelsOf(const Library& library) {
  const auto here = library.Symbol<const char* const* (*)()>("llamero_kernels_here");
  std::vector<std::string> names;
  if (here == nullptr) return names;
  for (const char* const* name = here(); *name != nullptr; name++) names.emplace_back(*name);
  return names;
}

void LoadOne(const fs::path& path) { ggml_backend_load(path.string().c_str()); }

}  // namespace

std::vector<CpuModule> FindCpuModules(const std::string& directory) {
  std::vector<CpuModule> modules;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = ModuleName(entry.path());
    if (name.empty()) continue;
    const Library library(entry.path().string());
    const auto score = library.Symbol<int (*)()>("ggml_backend_score");
    // A build with a single module has no score: it was made for this machine.
    const int points = !library.loaded() ? 0 : score == nullptr ? 1 : score();
    modules.push_back({name, entry.path().string(), points, KernelsOf(library)});
  }
  std::sort(modules.begin(), modules.end(), [](const CpuModule& a, const CpuModule& b) {
    return a.score != b.score ? a.score > b.score : a.name < b.name;
  });
  return modules;
}

BackendReport LoadBackends(const std::string& directory, const std::string& cpu_module) {
  static std::mutex mutex;
  static std::string loaded_module;
  const std::lock_guard lock(mutex);
  if (loaded_module.empty()) {
    InstallLogSink();
    const std::vector<CpuModule> modules = FindCpuModules(directory);
    const auto chosen = std::find_if(modules.begin(), modules.end(), [&](const CpuModule& module) {
      return cpu_module.empty() ? module.score > 0 : module.path == cpu_module || module.name == cpu_module;
    });
    if (chosen == modules.end() || chosen->score == 0) {
      throw Failure("ERR_NATIVE_MISSING",
                    cpu_module.empty() ? "No CPU backend beside the addon runs on this machine; run 'npm run "
                                         "build' again."
                                       : "The CPU backend '" + cpu_module + "' is missing or does not run here.");
    }
    std::error_code ignored;
    for (const char* accelerator : kAccelerators) {
      for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        if (entry.path().stem().string().ends_with(std::string("ggml-") + accelerator)) LoadOne(entry.path());
      }
    }
    LoadOne(chosen->path);
    if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
      throw Failure("ERR_NATIVE_MISSING", "The CPU backend '" + chosen->name + "' did not load.");
    }
    llama_backend_init();
    loaded_module = chosen->name;
  }
  return {loaded_module, ListDevices()};
}

}  // namespace llamero
