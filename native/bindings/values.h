#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "failure.h"

namespace llamero {

// Reading and making JavaScript values. TypeScript has checked meanings and ranges; what is checked here guards memory.

inline Napi::Object ToObject(const Napi::Value& value) {
  if (!value.IsObject()) throw Failure("ERR_INTERNAL", "The addon was called with a value that is not an object.");
  return value.As<Napi::Object>();
}

inline std::string ToString(const Napi::Value& value) {
  if (!value.IsString()) throw Failure("ERR_INTERNAL", "The addon was called with a value that is not a string.");
  return value.As<Napi::String>().Utf8Value();
}

inline double ToNumber(const Napi::Value& value) {
  if (!value.IsNumber()) throw Failure("ERR_INTERNAL", "The addon was called with a value that is not a number.");
  return value.As<Napi::Number>().DoubleValue();
}

inline bool ToBool(const Napi::Value& value) {
  if (!value.IsBoolean()) throw Failure("ERR_INTERNAL", "The addon was called with a value that is not a boolean.");
  return value.As<Napi::Boolean>().Value();
}

inline int64_t ToInteger(const Napi::Value& value) {
  constexpr double kLargest = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  const double number = ToNumber(value);
  if (!(number >= -kLargest && number <= kLargest)) {
    throw Failure("ERR_INTERNAL", "The addon was called with a number that is not an integer.");
  }
  return static_cast<int64_t>(number);
}

inline std::string StringOf(const Napi::Object& object, const char* key) { return ToString(object.Get(key)); }
inline double NumberOf(const Napi::Object& object, const char* key) { return ToNumber(object.Get(key)); }
inline int64_t IntegerOf(const Napi::Object& object, const char* key) { return ToInteger(object.Get(key)); }
inline bool BoolOf(const Napi::Object& object, const char* key) { return ToBool(object.Get(key)); }

/// A copy: JavaScript may change or detach the buffer afterwards.
template <typename Element, typename Array>
std::vector<Element> CopyOf(const Napi::Value& value, napi_typedarray_type type) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Failure("ERR_INTERNAL", "The addon was called with a value that is not the typed array it expects.");
  }
  const auto array = value.As<Array>();
  return std::vector<Element>(array.Data(), array.Data() + array.ElementLength());
}

inline std::vector<int32_t> IntegersOf(const Napi::Value& value) {
  return CopyOf<int32_t, Napi::Int32Array>(value, napi_int32_array);
}

inline std::vector<float> FloatsOf(const Napi::Value& value) {
  return CopyOf<float, Napi::Float32Array>(value, napi_float32_array);
}

/// Reads every element of a JavaScript array.
template <typename Read>
auto ArrayOf(const Napi::Value& value, Read read) {
  if (!value.IsArray()) throw Failure("ERR_INTERNAL", "The addon was called with a value that is not an array.");
  const auto array = value.As<Napi::Array>();
  std::vector<decltype(read(Napi::Value()))> elements;
  elements.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) elements.push_back(read(array.Get(i)));
  return elements;
}

template <typename Elements, typename Make>
Napi::Array ToArray(Napi::Env env, const Elements& elements, Make make) {
  auto array = Napi::Array::New(env, elements.size());
  uint32_t i = 0;
  for (const auto& element : elements) array.Set(i++, make(element));
  return array;
}

inline Napi::Int32Array ToInt32Array(Napi::Env env, const std::vector<int32_t>& values) {
  auto array = Napi::Int32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

/// An opaque JavaScript object that shares ownership of a T. Tagged, so that one kind can't be passed for another.
template <typename T>
Napi::External<std::shared_ptr<T>> ToHandle(Napi::Env env, std::shared_ptr<T> value) {
  auto owned = std::make_unique<std::shared_ptr<T>>(std::move(value));
  auto handle = Napi::External<std::shared_ptr<T>>::New(
      env, owned.get(), [](Napi::Env, std::shared_ptr<T>* data) { std::unique_ptr<std::shared_ptr<T>>(data).reset(); });
  // Not before: in a worker that is being terminated no handle is made.
  [[maybe_unused]] const auto* handed_over = owned.release();
  handle.TypeTag(&T::kTag);
  return handle;
}

template <typename T>
std::shared_ptr<T> FromHandle(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<std::shared_ptr<T>>>().CheckTypeTag(&T::kTag)) {
    throw Failure("ERR_INTERNAL", "The addon was called with a handle of another kind.");
  }
  return *value.As<Napi::External<std::shared_ptr<T>>>().Data();
}

}  // namespace llamero
