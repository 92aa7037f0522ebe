#include "thread.h"

#include "failure.h"

#ifdef _WIN32
#include <thread>
#else
#include <pthread.h>
#endif

namespace llamero {

#ifdef _WIN32

struct Thread::Handle {
  std::thread thread;
};

Thread::Thread(std::function<void()> body, size_t)
    : handle_(std::make_unique<Handle>(Handle{std::thread(std::move(body))})) {}

void Thread::Join() {
  if (handle_ && handle_->thread.joinable()) handle_->thread.join();
  handle_.reset();
}

#else

struct Thread::Handle {
  pthread_t thread;
};

Thread::Thread(std::function<void()> body, size_t stack_bytes) : handle_(std::make_unique<Handle>()) {
  auto argument = std::make_unique<std::function<void()>>(std::move(body));
  const auto run = [](void* data) -> void* {
    const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(data));
    (*owned)();
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  const int status = pthread_create(&handle_->thread, &attributes, run, argument.get());
  pthread_attr_destroy(&attributes);
  if (status != 0) {
    handle_.reset();
    throw Failure("ERR_OUT_OF_MEMORY", "The system refused another thread.");
  }
  [[maybe_unused]] const auto* handed_over = argument.release();
}

void Thread::Join() {
  if (handle_) pthread_join(handle_->thread, nullptr);
  handle_.reset();
}

#endif

Thread::~Thread() { Join(); }

}  // namespace llamero
