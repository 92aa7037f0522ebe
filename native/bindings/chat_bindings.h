#pragma once

#include <napi.h>

#include "chat/chat_template.h"

namespace llamero {

/// What a JavaScript NativeChatTemplate owns.
struct ChatTemplateHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x74656d706c000001};
  std::shared_ptr<const ChatTemplate> chat_template;
};

/// What a JavaScript NativeChatFormat owns.
struct ChatFormatHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x666f726d61000001};
  std::shared_ptr<const ChatFormat> format;
};

Napi::Value ChatTemplateParse(const Napi::CallbackInfo& info);
Napi::Value ChatTemplateInformation(const Napi::CallbackInfo& info);
Napi::Value ChatPromptMake(const Napi::CallbackInfo& info);
Napi::Value ChatAnswerParse(const Napi::CallbackInfo& info);

}  // namespace llamero
