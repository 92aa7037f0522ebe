#pragma once

// What we use of llama.cpp's common/ for chat: the only file that an upgrade has to look at for it.
#include <chat-auto-parser.h>
#include <chat.h>
#include <jinja/limits.h>
