#pragma once

#include <string>

#include "failure.h"

namespace llamero {

/// The exception being handled, as what went wrong in a template with this source: one sentence that names the line.
/// REQUIRES: called inside a catch block.
Failure TemplateFailure(const std::string& source);

}  // namespace llamero
