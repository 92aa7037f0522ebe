#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapter.h"

namespace llamero {

/// The adapters of a request with their scales. A context computes with one set at a time, so requests of different sets
/// share neither a step nor what is computed of a prefix. Immutable.
class AdapterSet {
 public:
  struct Entry {
    std::shared_ptr<const Adapter> adapter;
    float scale;
  };

  /// Order does not matter, and what has the scale 0 is left out: then it is the set of the model alone.
  explicit AdapterSet(std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  /// Equal for sets that compute the same, in every process; '' for the model alone. Not UTF-8, so it is no text that a caller could give.
  const std::string& key() const { return key_; }
  /// Under which prefixes are shared that are computed with this set: by nobody of another cache key or set.
  std::string Root(const std::string& cache_key) const { return cache_key + key_; }
  /// Whether some adapter of it is held by nobody but this set: it was closed.
  bool HoldsClosed() const;

 private:
  std::vector<Entry> entries_;
  std::string key_;
};

}  // namespace llamero
