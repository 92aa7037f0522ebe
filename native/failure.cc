#include "failure.h"

#include <new>

#include "environment.h"

namespace llamero {

Failure CurrentFailure(const std::string& fallback_code) {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::bad_alloc&) {
    return Failure("ERR_OUT_OF_MEMORY", "There is not enough memory for this operation.");
  } catch (const std::exception& error) {
    return Failure(fallback_code, error.what());
  } catch (...) {
    return Failure(fallback_code, "An unknown exception left native code.");
  }
}

Napi::Value ToJsError(Napi::Env env, const Failure& failure) {
  const auto code = Napi::String::New(env, failure.code());
  const auto message = Napi::String::New(env, failure.what());
  Environment& environment = Environment::Of(env);
  if (environment.error_class.IsEmpty()) return Napi::Error::New(env, failure.what()).Value();
  return environment.error_class.New({code, message});
}

}  // namespace llamero
