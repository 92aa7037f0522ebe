#include "engine/adapter_set.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>

namespace llamero {

AdapterSet::AdapterSet(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.scale == 0; });
  const auto order = [](const Entry& entry) {
    return std::pair(std::string_view(entry.adapter->digest()), entry.scale);
  };
  std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) { return order(a) < order(b); });
  for (const auto& [adapter, scale] : entries_) {
    key_ += '\xff' + adapter->digest() + '*' + std::to_string(std::bit_cast<uint32_t>(scale));
  }
}

bool AdapterSet::HoldsClosed() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.adapter.use_count() == 1; });
}

}  // namespace llamero
