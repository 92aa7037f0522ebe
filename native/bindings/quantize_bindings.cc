#include "bindings/quantize_bindings.h"

#include "bindings/model_bindings.h"
#include "bindings/progress_report.h"
#include "bindings/values.h"
#include "job.h"
#include "quantize.h"

namespace llamero {

Napi::Value QuantizeFile(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Object given = ToObject(info[0]);
    if (!info[1].IsFunction()) throw Failure("ERR_INTERNAL", "quantize needs a progress function.");
    const QuantizeOptions options{.source = StringOf(given, "source"),
                                  .target = StringOf(given, "target"),
                                  .file_type = static_cast<int>(IntegerOf(given, "fileType")),
                                  .copy = BoolOf(given, "copy"),
                                  .allow_requantize = BoolOf(given, "allowRequantize"),
                                  .imatrix = StringOf(given, "imatrix"),
                                  .imatrix_name = StringOf(given, "imatrixName"),
                                  .threads = static_cast<int>(IntegerOf(given, "threads")),
                                  .metadata_overrides = ToMetadataOverrides(given.Get("metadataOverrides"))};
    const auto flag = FromHandle<CancelFlag>(given.Get("cancelFlag"));
    const auto report = std::make_shared<ProgressReport>(info.Env(), "llamero.quantize", info[1].As<Napi::Function>());
    return Job<bool>::Start(info.Env(), {.work =
                                             [options, flag, report] {
                                               Quantize(
                                                   options, [&](float fraction) { report->Set(fraction); },
                                                   flag->raised);
                                               return true;
                                             },
                                         .convert = [report](Napi::Env env, bool&) -> Napi::Value {
                                           report->Close();
                                           return env.Undefined();
                                         },
                                         .cancel = [flag] { flag->raised = true; }});
  });
}

}  // namespace llamero
