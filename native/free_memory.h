#pragma once

#include <cstdint>
#include <filesystem>

namespace llamero {

/// Bytes that this process can still take: what Linux calls available, or less where a control group of it (a
/// container's, version 1 or 2) has a limit; files in the page cache count as free. `root` is where proc and sys lie.
/// On other systems what llama.cpp reports for the CPU. 0: not known.
int64_t FreeMemory(const std::filesystem::path& root = "/");

/// The memory that is free on all GPUs together; 0 without one, or with one that shares the main memory.
int64_t FreeGpuMemory();

/// What may be taken in all when `gpu_share` of it comes from the GPUs and the rest from the main memory; 0: not known.
int64_t FreeMemoryFor(double gpu_share);

}  // namespace llamero
