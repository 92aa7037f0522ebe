// Everything that JavaScript can call. The contract of each function is in lib/native-types.ts.
#include <napi.h>

#include "backends.h"
#include "bindings/adapter_bindings.h"
#include "bindings/chat_bindings.h"
#include "bindings/draft_bindings.h"
#include "bindings/embedder_bindings.h"
#include "bindings/engine_bindings.h"
#include "bindings/media_bindings.h"
#include "bindings/model_bindings.h"
#include "bindings/pure_bindings.h"
#include "bindings/quantize_bindings.h"
#include "bindings/schema_bindings.h"
#include "bindings/session_bindings.h"
#include "bindings/values.h"
#include "ending.h"
#include "environment.h"
#include "log.h"

namespace llamero {
namespace {

Napi::Value Initialize(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value CpuModules(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return ToArray(info.Env(), FindCpuModules(ToString(info[0])), [&](const CpuModule& module) {
      auto object = Napi::Object::New(info.Env());
      object.Set("name", module.name);
      object.Set("path", module.path);
      object.Set("score", module.score);
      const auto text = [&](const std::string& name) { return Napi::String::New(info.Env(), name); };
      object.Set("kernels", ToArray(info.Env(), module.kernels, text));
      return object;
    });
  });
}

Napi::Value LoadAllBackends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const BackendReport report = LoadBackends(ToString(info[0]), ToString(info[1]));
    auto result = Napi::Object::New(env);
    result.Set("llamaTag", LLAMERO_LLAMA_TAG);
    result.Set("cpuModule", report.cpu_module);
    result.Set("devices", ToArray(env, report.devices, [&](const Device& device) {
                 auto object = Napi::Object::New(env);
                 object.Set("name", device.name);
                 object.Set("description", device.description);
                 object.Set("type", device.type);
                 object.Set("totalBytes", static_cast<double>(device.total_bytes));
                 object.Set("freeBytes", static_cast<double>(device.free_bytes));
                 return object;
               }));
    return result;
  });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<Environment>().release());
  Ending::WatchExit(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("initialize", Initialize);
  add("cpuModules", CpuModules);
  add("loadBackends", LoadAllBackends);
  add("createCancelFlag", CreateCancelFlag);
  add("cancel", Cancel);

  add("modelLoad", ModelLoad);
  add("modelInfo", ModelInfo);
  add("modelClose", ModelClose);
  add("tokenize", TokenizeText);
  add("tokenizeTexts", TokenizeTexts);
  add("detokenize", DetokenizeTokens);
  add("piece", Piece);

  add("chatTemplate", ChatTemplateParse);
  add("chatTemplateInfo", ChatTemplateInformation);
  add("chatPrompt", ChatPromptMake);
  add("chatParse", ChatAnswerParse);

  add("freeMemory", FreeMemoryNow);
  add("memoryNeed", MemoryNeedOf);
  add("adapterLoad", AdapterLoad);
  add("controlVectorCreate", ControlVectorCreate);
  add("adapterClose", AdapterClose);

  add("engineCreate", EngineCreate);
  add("engineInfo", EngineInfo);
  add("engineSubmit", EngineSubmit);
  add("engineCancel", EngineCancel);
  add("engineAcknowledge", EngineAcknowledge);
  add("engineStats", EngineStatistics);
  add("engineClose", EngineClose);

  add("cacheDrop", CacheDrop);
  add("sessionTokens", SessionTokens);
  add("sessionFork", SessionFork);
  add("sessionCut", SessionCut);
  add("sessionForget", SessionForget);
  add("sessionSave", SessionSave);
  add("sessionRestore", SessionRestore);

  add("projectorLoad", ProjectorLoad);
  add("projectorInfo", ProjectorInfo);
  add("projectorStats", ProjectorStatistics);
  add("projectorClose", ProjectorClose);
  add("mediumEncode", MediumEncode);
  add("mediumTokens", MediumTokens);
  add("mediumRelease", MediumRelease);

  add("embedderCreate", EmbedderCreate);
  add("embedderRun", EmbedderRun);
  add("embedderStats", EmbedderStatistics);
  add("embedderClose", EmbedderClose);

  add("quantize", QuantizeFile);

  add("schemaToGrammar", ConvertSchema);
  add("compileGrammar", CompileGrammar);
  add("grammarAllows", GrammarAllows);
  add("grammarStats", GrammarStatistics);

  add("planStep", PlanOneStep);
  add("learnPace", LearnPrefillPace);
  add("prefillBudget", PrefillBudgetOf);
  add("briefBudget", BriefBudgetOf);
  add("briefSize", BriefSizeOf);
  add("sliceMs", SliceMsOf);
  add("packStep", PackOneStep);
  add("nextThreads", NextThreadState);
  add("assembleText", AssembleText);
  add("findNgram", FindNgram);
  add("learnMatch", LearnOneMatch);
  add("learnLead", LearnOneLead);
  add("fadeLeads", FadeLeads);
  add("leadChance", ChanceOfLead);
  add("learnStep", LearnOneStep);
  add("draftLength", LengthOfDraft);
  return exports;
}

}  // namespace
}  // namespace llamero

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return llamero::Init(env, exports); }
NODE_API_MODULE(llamero, Init)
