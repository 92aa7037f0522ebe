#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "engine/sequence.h"

namespace llamero {

/// Who says what the model may say next by computing it: a draft model, or the model's own trained heads. Proposes for all
/// sequences of an engine in the same decodes.
///
/// Lives on the engine thread. What goes wrong in it ends its proposals, never a request.
class DraftSource {
 public:
  DraftSource() = default;
  virtual ~DraftSource() = default;
  DraftSource(const DraftSource&) = delete;
  DraftSource& operator=(const DraftSource&) = delete;

  /// What is to be expected for a sequence, once it was compared what was proposed last with what was said.
  struct Outlook {
    int64_t room = 0;   // tokens that it may propose; 0: it can't read this text
    int64_t late = 0;   // tokens that it must compute before the first one, beyond those of the last steps
    double chance = 0;  // that a token is right if those before it are
  };
  virtual Outlook Look(const Sequence& sequence) = 0;
  /// It is not asked about the sequence in this step.
  virtual void Pass(int64_t id) = 0;

  /// ms for one more token of each of so many sequences; 0: not known.
  virtual double StepMs(int64_t sequences) const = 0;
  /// ms to compute so many tokens.
  virtual double ReadMs(int64_t tokens) const = 0;

  struct Wish {
    const Sequence* sequence = nullptr;
    int64_t count = 0;
    double least_chance = 0;  // proposes only tokens that are right with that chance
    std::vector<llama_token> tokens = {};
  };
  struct Spent {
    double drafting_ms = 0;
    double catching_up_ms = 0;
  };
  /// Fills in the tokens of each wish, fewer where it is not sure. Who lacks more tokens than can be computed in some
  /// `step_ms` gets none yet, but comes nearer. REQUIRES: each was looked at since its last step, count <= room.
  virtual Spent Draft(std::vector<Wish>& wishes, double step_ms, int threads) = 0;

  /// The sequence has ended, or has given up its cells.
  virtual void Forget(int64_t id) = 0;

  /// Decodes so far.
  virtual int64_t steps() const = 0;
};

}  // namespace llamero
