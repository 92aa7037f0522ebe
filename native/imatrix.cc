#include "imatrix.h"

#include <imatrix-loader.h>

#include <algorithm>
#include <cmath>

#include "failure.h"
#include "log.h"
#include "metadata_override.h"

namespace llamero {
namespace {

/// Mean squares of the inputs: one row of columns per expert, each divided by the tokens that its expert has seen.
std::vector<float> MeansOf(const common_imatrix_entry& entry) {
  std::vector<float> means(entry.sums);
  const size_t width = entry.sums.size() / entry.counts.size();
  for (size_t i = 0; i < means.size(); i++) {
    const auto count = static_cast<float>(entry.counts[std::min(i / width, entry.counts.size() - 1)]);
    means[i] = count > 0 ? entry.sums[i] / count : 1;
  }
  return means;
}

}  // namespace

Imatrix::Imatrix(const std::string& path, const std::string& name) {
  const LogCapture log;
  common_imatrix loaded;
  if (!common_imatrix_load(path, loaded) || loaded.is_legacy || !loaded.has_metadata) {
    throw Failure("ERR_MODEL_INVALID", "The importance matrix could not be read; make it again with llama-imatrix.");
  }
  columns_.reserve(loaded.entries.size());
  for (const auto& [tensor, entry] : loaded.entries) {
    columns_.emplace_back(tensor, MeansOf(entry));
    for (const float mean : columns_.back().second) {
      if (std::isfinite(mean) && mean >= 0) continue;
      throw Failure("ERR_MODEL_INVALID", "The importance matrix holds a value for '" + tensor +
                                             "' that is no mean of squares; make it again with llama-imatrix.");
    }
  }
  for (const auto& [tensor, values] : columns_) entries_.push_back({tensor.c_str(), values.data(), values.size()});
  entries_.push_back({nullptr, nullptr, 0});
  metadata_.push_back(TextOverride("quantize.imatrix.file", name));
  if (!loaded.datasets.empty()) metadata_.push_back(TextOverride("quantize.imatrix.dataset", loaded.datasets[0]));
  metadata_.push_back(NumberOverride("quantize.imatrix.entries_count", static_cast<int64_t>(columns_.size())));
  if (loaded.chunk_count > 0) metadata_.push_back(NumberOverride("quantize.imatrix.chunks_count", loaded.chunk_count));
}

}  // namespace llamero
