"""Makes small random models with transformers and writes what transformers computes with them.

    python reference_models.py FOLDER MINILM

Each model becomes FOLDER/<name>/ in Hugging Face's layout, with reference.json beside its files: for each prompt its
tokens and the logarithms of the probabilities of what follows, or for encoders the vector of each text.
FOLDER/minilm/ has such vectors alone, of the model in MINILM.
"""

import copy
import json
import sys
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The sky is blue because light of short waves is scattered more than light of long waves.",
    "A model predicts the next token; the token becomes a part of the text, and so on until the end.",
    "def add(first, second):\n    return first + second  # the sum of 12 and 345 is 357\n",
    "I've been told that he'll be there. WE'RE SURE? You'd better ask: it's 10:45 already!",
    "Die Straße führt über die Brücke; l'été dernier, où étions-nous ? ¿Dónde está la biblioteca?",
    "하늘은 왜 파란가요? 빛이 흩어지기 때문입니다. 空はなぜ青いのですか。天空为什么是蓝色的？",
    "Привет, мир! Как дела сегодня? Всё хорошо, спасибо.",
    "  Leading blanks,\ttabs\tand\r\n\r\nempty lines   are cut   in many ways.\n\n\n",
]

PROMPTS = [
    "The sky is blue",
    "Why is the sky blue? Because light of short waves is scattered more than that of long waves, 1234 times.",
    "I'VE told you: it's 10:45\n\n    return first + second",
    "Straße über été 하늘은 파란 天空 мир 😀 end",
    "  two blanks   three\tand a tab <tool> and  more",
]

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SMALL = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
CAPITAL = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
TEKKEN = SMALL + "|" + CAPITAL + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (
    SMALL + CONTRACTION + "|" + CAPITAL + CONTRACTION
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def regex_words(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])


DIGITS = pre_tokenizers.Sequence([
    pre_tokenizers.Digits(individual_digits=True),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
])
GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def byte_level(folder, words, bos=None, whole_words=False, nfc=False):
    """A tokenizer of byte-level BPE, trained on the corpus."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole_words))
    # Trained over the borders of words, so that a text cut elsewhere becomes other tokens.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.pre_tokenizer = words
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    if bos is None:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]),
        ])
    config = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    if bos is not None:
        config["bos_token"] = {"content": bos, "special": True}
    write_tokenizer(folder, config, tokenizer)
    return tokenizer.get_vocab_size(), lambda text: tokenizer.encode(text).ids


def train_sentence_piece(folder, dummy_prefix, extra=()):
    """A SentencePiece model as Llama 2 and Gemma have it."""
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(line for text in CORPUS for line in text.split("\n")))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=480, byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=dummy_prefix, remove_extra_whitespaces=False,
        character_coverage=0.98, user_defined_symbols=list(extra), minloglevel=2,
    )
    corpus.unlink()
    (folder / "tokenizer.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def sentence_piece(folder, dummy_prefix=True, extra=()):
    pieces = train_sentence_piece(folder, dummy_prefix, extra)
    write_tokenizer(folder, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True})
    return pieces.vocab_size(), lambda text: [pieces.bos_id(), *pieces.encode(text)]


def byte_fallback(folder, gemma=False, added=()):
    """The same as a tokenizer.json, in the form of Llama 2 or in that of Gemma."""
    pieces = train_sentence_piece(folder, not gemma)
    (folder / "tokenizer.model").unlink()
    ids = {pieces.id_to_piece(index): index for index in range(pieces.vocab_size())}
    merges = sorted(
        (ids[whole], ids[whole[:cut]], ids[whole[cut:]], whole[:cut], whole[cut:])
        for whole in ids
        for cut in range(1, len(whole))
        if not pieces.is_control(ids[whole]) and not pieces.is_byte(ids[whole]) and not pieces.is_unknown(ids[whole])
        and whole[:cut] in ids and whole[cut:] in ids
    )
    model = models.BPE(ids, [merge[3:] for merge in merges], byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = replace if gemma else normalizers.Sequence([normalizers.Prepend("▁"), replace])
    if gemma:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.add_special_tokens([AddedToken(text, rstrip=True, normalized=False) for text in added])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    write_tokenizer(folder, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, tokenizer)
    return tokenizer.get_vocab_size(), lambda text: tokenizer.encode(text).ids


def word_piece(folder):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))],
    )
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    write_tokenizer(folder, names, tokenizer)
    return tokenizer.get_vocab_size(), lambda text: tokenizer.encode(text).ids


def write_tokenizer(folder, config, tokenizer=None):
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": TEMPLATE}))


SIZES = dict(
    hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=512,
)


def randomise(model, embed=0.5, dtype=torch.float32):
    """Weights far from those that a model begins with, so that each of them is seen in the answers."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                parameter.copy_(noise * (embed if "embed" in name else 1.5 / parameter.shape[-1] ** 0.5))
            else:
                parameter.add_(noise * 0.3)
            parameter.copy_(parameter.to(dtype))


def decoder(root, name, kind, tokenizer, dtype=torch.float32, shards=None, rename=None, settings_kind=None, embed=0.5,
            **config):
    folder = root / name
    folder.mkdir(parents=True)
    vocab_size, encode = tokenizer(folder)
    settings = getattr(transformers, (settings_kind or kind) + "Config")(
        **{**SIZES, "vocab_size": vocab_size, "attn_implementation": "eager", **config}
    )
    model = getattr(transformers, kind + "ForCausalLM")(settings).eval()
    randomise(model, embed, dtype)
    # Converted in place, tables of rotations would lose digits too.
    copy.deepcopy(model).to(dtype).save_pretrained(folder, **({"max_shard_size": shards} if shards else {}))
    if rename is not None:
        rename(folder)
    prompts = []
    for text in PROMPTS:
        tokens = encode(text)
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0, -1]
        prompts.append({"text": text, "tokens": tokens, "logprobs": rounded(torch.log_softmax(logits, -1))})
    write_reference(folder, prompts)


def encoder(root, name):
    folder = root / name
    folder.mkdir(parents=True)
    vocab_size, encode = word_piece(folder)
    sizes = {key: value for key, value in SIZES.items() if key != "num_key_value_heads"}
    model = transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=vocab_size)).eval()
    randomise(model)
    model.save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps([
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    # llama.cpp strips accents without taking Korean syllables apart, as tokenizers does.
    texts = [text.replace("하늘은 파란", "") for text in PROMPTS]
    prompts = [{"text": text, "tokens": encode(text), "vector": embedding(model, encode(text))} for text in texts]
    write_reference(folder, prompts)


def embedding(model, tokens):
    """The mean of the last layer, of length 1, as Sentence Transformers computes it."""
    with torch.no_grad():
        states = model(torch.tensor([tokens])).last_hidden_state[0]
    return rounded(torch.nn.functional.normalize(states.mean(0), dim=0))


def rounded(numbers):
    return [round(number, 6) for number in numbers.tolist()]


def write_reference(folder, prompts):
    (folder / "reference.json").write_text(json.dumps({"prompts": prompts}))


def as_exaone(folder):
    """EXAONE 3 computes as Llama does, under names of its own; its class is not part of transformers."""
    names = {
        "model.embed_tokens": "transformer.wte", "model.norm": "transformer.ln_f", "model.layers": "transformer.h",
        "input_layernorm": "ln_1", "post_attention_layernorm": "ln_2", "self_attn.o_proj": "attn.attention.out_proj",
        "self_attn": "attn.attention", "mlp.gate_proj": "mlp.c_fc_0", "mlp.up_proj": "mlp.c_fc_1",
        "mlp.down_proj": "mlp.c_proj",
    }
    tensors = {}
    for key, tensor in load_file(folder / "model.safetensors").items():
        for old, new in names.items():
            key = key.replace(old, new)
        tensors[key] = tensor
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config |= {
        "architectures": ["ExaoneForCausalLM"], "model_type": "exaone", "activation_function": config.pop("hidden_act"),
        "num_layers": config.pop("num_hidden_layers"), "layer_norm_epsilon": config.pop("rms_norm_eps"),
    }
    path.write_text(json.dumps(config))


LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN_ROPE = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 128}


def minilm(root, model_folder):
    model = transformers.BertModel.from_pretrained(model_folder).eval()
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    tokenizer.no_padding()
    encode = lambda text: tokenizer.encode(text).ids
    folder = root / "minilm"
    folder.mkdir(parents=True)
    write_reference(folder, [
        {"text": text, "tokens": encode(text), "vector": embedding(model, encode(text))} for text in sentences()
    ])


def sentences():
    subjects = [
        "A man", "The old woman", "My neighbour's cat", "Nobody", "A café in Zürich", "The server", "Dr. Smith",
        "An e-mail from 12 May 2024", "The function add(first, second)", "Привет, she said, and",
    ]
    predicates = [
        "is eating food.", "plays the violin, badly!", "was not there at 10:45...", "costs 1,234.50 dollars?",
        "naïvely believed in fairy tales", "returned an unexpected result; nothing else.", "flies over the mountains.",
        "(once more) asked for help.", "won't be remembered", "writes 数学 on the wall.",
    ]
    return [f"{subject} {predicate}" for subject in subjects for predicate in predicates]


def main(root, minilm_folder):
    decoder(root, "llama", "Llama", sentence_piece, attention_bias=True)
    decoder(root, "llama3", "Llama", lambda f: byte_level(f, regex_words(LLAMA3), "<|endoftext|>", whole_words=True),
            rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True, dtype=torch.bfloat16, shards="60KB")
    decoder(root, "smollm", "Llama", lambda f: byte_level(f, DIGITS), dtype=torch.float16, tie_word_embeddings=True)
    decoder(root, "mistral", "Mistral", byte_fallback, head_dim=32, sliding_window=None)
    decoder(root, "mistral-tekken", "Mistral", lambda f: byte_level(f, regex_words(TEKKEN), "<|endoftext|>", True),
            sliding_window=None)
    decoder(root, "qwen2", "Qwen2", lambda f: byte_level(f, regex_words(QWEN2), nfc=True))
    decoder(root, "qwen2-yarn", "Qwen2", lambda f: byte_level(f, regex_words(QWEN2)), rope_parameters=YARN_ROPE)
    decoder(root, "qwen3", "Qwen3", lambda f: byte_level(f, regex_words(QWEN2)), head_dim=32, tie_word_embeddings=True)
    # Gemma multiplies its embedding by the root of the width. Its gelu is rounded to F16 in llama.cpp, which large logits show.
    gemma = dict(head_dim=32, hidden_activation="gelu_pytorch_tanh", embed=0.05)
    decoder(root, "gemma", "Gemma", lambda f: sentence_piece(f, False, ["<tool>", "▁▁"]), **gemma)
    decoder(root, "gemma2", "Gemma2", lambda f: sentence_piece(f, False), query_pre_attn_scalar=32, sliding_window=12,
            final_logit_softcapping=3.0, attn_logit_softcapping=2.0, **gemma)
    gemma3 = dict(query_pre_attn_scalar=32, num_hidden_layers=7, sliding_window=12, rope_parameters={
        "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1_000_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5_000.0}}, **gemma)
    decoder(root, "gemma3", "Gemma3", lambda f: byte_fallback(f, True), settings_kind="Gemma3Text", **gemma3)
    decoder(root, "phi3", "Phi3", lambda f: byte_fallback(f, added=["<|endoftext|>", "<|end|>"]), pad_token_id=0, sliding_window=None)
    decoder(root, "phi4-mini", "Phi3", lambda f: byte_level(f, regex_words(GPT4O)), pad_token_id=0, sliding_window=None,
            original_max_position_embeddings=256, rope_parameters={
                "rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 256,
                "short_factor": [1 + 0.1 * i for i in range(8)], "long_factor": [2 + i for i in range(8)]})
    decoder(root, "exaone", "Llama", lambda f: byte_level(f, DIGITS), rename=as_exaone)
    decoder(root, "exaone4", "Exaone4", lambda f: byte_level(f, GPT2, "<|endoftext|>"), sliding_window=None,
            layer_types=["full_attention"] * 2)
    encoder(root, "bert")
    minilm(root, minilm_folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
