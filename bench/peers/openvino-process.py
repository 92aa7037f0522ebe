"""Runs OpenVINO GenAI in a process of its own: one line of JSON in for each reading, one out."""

import json
import sys
import time

setting = json.loads(sys.argv[1])


def tell(message):
    print(json.dumps(message), flush=True)


def generate(pipe, tokenizer, prompts, count, config):
    """Greedy, past the end token, as text: seconds from the prompts to the last token."""
    config.max_new_tokens = count
    inputs = [openvino.Tensor(numpy.array([prompt], dtype=numpy.int64)) for prompt in prompts]
    started = time.perf_counter()
    answers = pipe.generate(inputs, [config] * len(prompts))
    tokens = [answer.m_generation_ids[0] for answer in answers]
    if not all(tokenizer.decode(tokens)):
        raise RuntimeError("it produced no text")
    seconds = time.perf_counter() - started
    if any(len(one) != count for one in tokens):
        raise RuntimeError(f"{count} tokens were expected, {[len(one) for one in tokens]} came")
    return seconds


try:
    import numpy
    import openvino
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_batched_tokens = setting["batch"]
    properties = {"INFERENCE_NUM_THREADS": setting["threads"]}
    pipe = openvino_genai.ContinuousBatchingPipeline(setting["modelPath"], scheduler, "CPU", properties)
    tokenizer = pipe.get_tokenizer()
    config = openvino_genai.GenerationConfig()
    config.do_sample = False
    config.ignore_eos = True
    tell({"ready": openvino_genai.__version__})
    for line in sys.stdin:
        request = json.loads(line)
        prompts, count = request["prompts"], request["generate"]
        # As in the other sides one token more, which the prompts' own step gives.
        seconds = generate(pipe, tokenizer, prompts, count + 1, config)
        tell({"tokensPerSecond": len(prompts) * count / seconds})
except Exception as error:
    tell({"error": " ".join(str(error).split())})
