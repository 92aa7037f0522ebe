#pragma once

#include <cstdint>
#include <filesystem>

namespace llamero {

/// Bytes that this process can still take: what Linux calls available, or less where a control group of it (a
/// container's, version 1 or 2) has a limit; files in the page cache count as free. `root` is where proc and sys lie.
/// On other systems what llama.cpp reports for the CPU. 0: not known.
int64_t FreeMemory(const std::filesystem::path& root = "/");

/// Where the KV cache of a model with so many layers on GPUs will lie: all of them (-1) take the GPUs' free memory if
/// there are any, else it is the main memory's.
int64_t FreeMemoryFor(int gpu_layers, const std::filesystem::path& root);

}  // namespace llamero
