#pragma once

#include "failure.h"

namespace llamero {

/// The exception being handled, as what went wrong in a template: one sentence that names the line.
/// REQUIRES: called inside a catch block.
Failure TemplateFailure();

}  // namespace llamero
