#include "free_memory.h"

#include <ggml-backend.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace llamero {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

std::optional<int64_t> NumberIn(const fs::path& file) {
  std::ifstream stream(file);
  int64_t number = 0;
  if (stream >> number) return number;
  return std::nullopt;  // also for "max", which is no limit
}

/// The sum of the numbers behind some of a file's first words, as "active_file 4096" or "MemAvailable: 5 kB".
int64_t SumOf(const fs::path& file, std::initializer_list<std::string_view> names) {
  std::ifstream stream(file);
  int64_t sum = 0;
  std::string name;
  std::string rest;
  for (int64_t number = 0; stream >> name >> number; std::getline(stream, rest)) {
    if (std::find(names.begin(), names.end(), name) != names.end()) sum += number;
  }
  return sum;
}

struct Hierarchy {
  fs::path mount;
  const char* limit;
  const char* used;
  std::initializer_list<std::string_view> page_cache;
};

/// What the group at `path` and those above it leave, the least of them. A container often sees its own group as the
/// root of the mount, under another path than the kernel names.
int64_t FreeInGroup(const Hierarchy& hierarchy, fs::path path) {
  int64_t least = kUnlimited;
  while (true) {
    const fs::path group = hierarchy.mount / path;
    const auto limit = NumberIn(group / hierarchy.limit);
    const auto used = NumberIn(group / hierarchy.used);
    if (limit && used) {
      // The kernel counts the two apart, and the first version's "no limit" is nearly the largest number there is.
      const int64_t cached = std::min(*used, SumOf(group / "memory.stat", hierarchy.page_cache));
      least = std::min(least, *limit - (*used - cached));
    }
    if (path.empty()) return std::max<int64_t>(0, least);
    path = path.has_parent_path() ? path.parent_path() : fs::path();
  }
}

int64_t FreeInGroups(const fs::path& root) {
  const Hierarchy second{root / "sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file", "active_file"}};
  const Hierarchy first{root / "sys/fs/cgroup/memory",
                        "memory.limit_in_bytes",
                        "memory.usage_in_bytes",
                        {"total_inactive_file", "total_active_file"}};
  std::ifstream groups(root / "proc/self/cgroup");
  int64_t least = kUnlimited;
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" in version 2, "5:memory:/path" in version 1
    const size_t at = line.find(":/");
    if (at == std::string::npos) continue;
    const fs::path path = line.substr(at + 2);
    const std::string controllers = line.substr(0, at + 1);
    if (controllers == "0::" || controllers == "0:") least = std::min(least, FreeInGroup(second, path));
    if (controllers.find(":memory") != std::string::npos) least = std::min(least, FreeInGroup(first, path));
  }
  return least;
}

int64_t DeviceFree(ggml_backend_dev_t device) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
  return static_cast<int64_t>(free_bytes);
}

}  // namespace

int64_t FreeMemory(const fs::path& root) {
  constexpr int64_t kKibibyte = 1024;
  const int64_t available = SumOf(root / "proc/meminfo", {"MemAvailable:"}) * kKibibyte;
  if (available > 0) return std::min(available, FreeInGroups(root));
  // It calls all memory free, which is better than nothing.
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  return cpu == nullptr ? 0 : DeviceFree(cpu);
}

int64_t FreeGpuMemory() {
  int64_t bytes = 0;
  for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU) bytes += DeviceFree(device);
  }
  return bytes;
}

int64_t FreeMemoryFor(double gpu_share) {
  const auto main = static_cast<double>(FreeMemory());
  const auto gpus = static_cast<double>(FreeGpuMemory());
  if (gpu_share <= 0 || gpus <= 0) return static_cast<int64_t>(main);
  const double by_gpus = gpus / gpu_share;
  return static_cast<int64_t>(gpu_share >= 1 ? by_gpus : std::min(by_gpus, main / (1 - gpu_share)));
}

}  // namespace llamero
