#include "quantize.h"

#include <llama.h>

#include <cerrno>
#include <filesystem>
#include <ios>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "failure.h"
#include "imatrix.h"
#include "log.h"

// Added by patches/quantize-progress.patch.
using llamero_quantize_progress = bool (*)(size_t done, size_t total, void* user_data);
void llamero_quantize(const char* source, const char* target, const llama_model_quantize_params* params,
                      llamero_quantize_progress progress, void* progress_data);

namespace llamero {
namespace {

/// Rows in memory at once: bounds the time until a cancel is seen. Rows are quantised one by one, so that the result does
/// not depend on it.
constexpr size_t kBufferBytes = size_t{16} << 20;

struct Watch {
  const QuantizeProgress& progress;
  const std::atomic<bool>& cancelled;
};

bool OnPiece(size_t done, size_t total, void* data) {
  const auto* watch = static_cast<Watch*>(data);
  if (watch->cancelled.load(std::memory_order_relaxed)) return false;
  watch->progress(static_cast<float>(static_cast<double>(done) / static_cast<double>(total)));
  return true;
}

Failure WriteFailure(int error) {
#ifdef EDQUOT
  const bool over_quota = error == EDQUOT;
#else
  const bool over_quota = false;
#endif
  if (error == ENOSPC || error == EFBIG || over_quota) {
    return Failure("ERR_DISK_FULL", "The disk (or the limit on it) has no room left for the quantized model.");
  }
  return Failure("ERR_STORE",
                 "The quantized model could not be written: " + std::generic_category().message(error) + ".");
}

void Convert(const QuantizeOptions& options, const QuantizeProgress& progress, const std::atomic<bool>& cancelled) {
  std::optional<Imatrix> imatrix;
  if (!options.imatrix.empty()) imatrix.emplace(options.imatrix, options.imatrix_name);
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.nthread = options.threads;
  params.ftype = static_cast<llama_ftype>(options.file_type);
  params.only_copy = options.copy;
  params.allow_requantize = options.allow_requantize;
  params.max_buf_size = kBufferBytes;
  MetadataOverrides overrides = options.metadata_overrides;
  if (imatrix) {
    params.imatrix = imatrix->entries();
    overrides.insert(overrides.end(), imatrix->metadata().begin(), imatrix->metadata().end());
  }
  overrides.push_back(NoOverride());
  params.kv_overrides = overrides.data();
  Watch watch{progress, cancelled};
  try {
    llamero_quantize(options.source.c_str(), options.target.c_str(), &params, OnPiece, &watch);
  } catch (const std::ios_base::failure&) {
    throw WriteFailure(errno);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw Failure("ERR_OPTION_INVALID", std::string("This type needs an importance matrix for the tensor '") +
                                            error.what() + "'; make one with llama-imatrix and pass it as imatrix.");
  } catch (const std::domain_error&) {
    throw Failure("ERR_OPTION_INVALID",
                  "The model is quantized already: converting it once more costs quality. Quantize its F16 or BF16 "
                  "original instead, or allow it with allowRequantize (--allow-requantize).");
  } catch (const std::exception& error) {
    if (cancelled.load()) throw Failure("ERR_CANCELLED", "Quantizing was cancelled.");
    throw Failure("ERR_MODEL_REJECTED", std::string("llama.cpp could not quantize the model: ") + error.what() + ".");
  }
}

}  // namespace

void Quantize(const QuantizeOptions& options, const QuantizeProgress& progress, const std::atomic<bool>& cancelled) {
  const LogCapture log;
  try {
    Convert(options, progress, cancelled);
  } catch (...) {
    const Failure failure = CurrentFailure();
    std::error_code ignored;
    std::filesystem::remove(options.target, ignored);
    throw failure;
  }
}

}  // namespace llamero
