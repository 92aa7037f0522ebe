#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace llamero {

/// A run of embeddings that stands for a picture, a part of it, or a sound. Immutable; requests share it.
struct MediaChunk {
  int64_t tokens = 0;     // cells that it takes
  int64_t positions = 0;  // by which the text's positions go on; fewer for models with positions in several dimensions
  bool whole = false;     // its tokens see each other in both directions, so that they are computed in one go
  bool has_grid = false;  // positions in four dimensions, below
  std::vector<llama_pos> grid;    // of every token, relative to the first: all of one dimension, then the next
  std::vector<float> embeddings;  // as many numbers for each token as the model takes
};

/// What a picture or sound becomes in a prompt: texts that its model wants around and between its parts, and the parts.
struct Medium {
  struct Span {
    int64_t begin = 0;
    std::shared_ptr<const MediaChunk> chunk;
  };

  std::vector<llama_token> tokens;  // of texts, and runs of media ids (engine/media_run.h)
  std::vector<Span> spans;          // where the runs are
  int64_t bytes = 0;                // of all embeddings
};

}  // namespace llamero
