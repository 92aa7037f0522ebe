#pragma once

#include <napi.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace llamero {

/// What native code throws: a code of lib/errors.ts and the sentence. Becomes a LlameroError at the boundary.
class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

/// The exception being handled, as a Failure; foreign exceptions get `fallback_code`.
/// REQUIRES: called inside a catch block.
Failure CurrentFailure(const std::string& fallback_code = "ERR_INTERNAL");

/// A LlameroError of `env`'s own class.
Napi::Value ToJsError(Napi::Env env, const Failure& failure);

/// Runs `body` and turns every C++ exception into a JavaScript one: the only way from an export into our code.
template <typename Body>
auto Guard(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    napi_throw(env, ToJsError(env, CurrentFailure()));
    return decltype(body())();
  }
}

}  // namespace llamero
