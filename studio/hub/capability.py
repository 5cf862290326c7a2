"""What a model can do, told from its architecture's name, its pipeline's name, its tensors or its card.

The words are the task tags of the Hugging Face hub, and `code-generation`, which has none there. Imports nothing of
the application.
"""

import re
from collections.abc import Container, Iterable

UNKNOWN = "unknown"
CODE = "code-generation"
# Special capabilities that every model of a more general one has as well, but less well.
SPECIAL = {CODE: "text-generation"}

_EXACT = {
    "WhisperForConditionalGeneration": "automatic-speech-recognition",
    "Speech2TextForConditionalGeneration": "automatic-speech-recognition",
    "MoonshineForConditionalGeneration": "automatic-speech-recognition",
    "MusicgenForConditionalGeneration": "text-to-audio",
    "MusicgenMelodyForConditionalGeneration": "text-to-audio",
    "BarkModel": "text-to-speech",
    "VitsModel": "text-to-speech",
    "CsmForConditionalGeneration": "text-to-speech",
    "DiaForConditionalGeneration": "text-to-speech",
    "ParlerTTSForConditionalGeneration": "text-to-speech",
    "FastSpeech2ConformerWithHifiGan": "text-to-speech",
    "BlipForConditionalGeneration": "image-to-text",
    "GitForCausalLM": "image-to-text",
    "TrOCRForCausalLM": "image-to-text",
    "VisionEncoderDecoderModel": "image-to-text",
    "FuyuForCausalLM": "image-text-to-text",
    "Emu3ForCausalLM": "image-text-to-text",
    "MiniMaxM3VLForCausalLM": "image-text-to-text",
    "BertGenerationDecoder": "text-generation",
    "ReformerModelWithLMHead": "text-generation",
    "MarianMTModel": "text2text-generation",
    "EncoderDecoderModel": "text2text-generation",
    "SpeechEncoderDecoderModel": "automatic-speech-recognition",
    "FastSpeech2ConformerModel": "text-to-speech",
    "Pix2StructForConditionalGeneration": "image-to-text",
    "CLIPModel": "zero-shot-image-classification",
    "SiglipModel": "zero-shot-image-classification",
    "Siglip2Model": "zero-shot-image-classification",
    "ClapModel": "zero-shot-audio-classification",
    "SamModel": "mask-generation",
    "Sam2Model": "mask-generation",
    "SamHQModel": "mask-generation",
    "EdgeTamModel": "mask-generation",
    "OpenAIGPTDoubleHeadsModel": "text-generation",
    "GPT2DoubleHeadsModel": "text-generation",
    "XLMWithLMHeadModel": "text-generation",
    "FlaubertWithLMHeadModel": "fill-mask",
    "T5WithLMHeadModel": "text2text-generation",
    "EncodecModel": "audio-to-audio",
    "DacModel": "audio-to-audio",
    "Swin2SRForImageSuperResolution": "image-to-image",
    "VitMatteForImageMatting": "image-segmentation",
}
_SEEING = re.compile(
    r"Llava|VL|Vl[mM]?(?=[A-Z]|$)|Vision|Idefics|Pali[gG]emma|Fuyu|Blip2|InstructBlip|Kosmos|Mllama|Florence|Pixtral|Aria|"
    r"Emu3|Chameleon|Intern[vV][lL]|Ocr|OCR|Janus|Molmo|Ovis|[vV]\d"
)
_HEARING = re.compile(r"ASR|Asr|Speech|Transcri|Voxtral|Canary|Whisper|Moonshine")
_ENDINGS = (
    ("ForCausalLM", "text-generation"),
    ("ForCausalLMProjection", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForPreTraining", "fill-mask"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForImageTextRetrieval", "zero-shot-image-classification"),
    ("ForImageClassification", "image-classification"),
    ("ForImageClassificationWithTeacher", "image-classification"),
    ("ForTextToText", "text2text-generation"),
    ("ForVisionText2Text", "image-text-to-text"),
    ("ForVideoClassification", "video-classification"),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection"),
    ("ForObjectDetection", "object-detection"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForImageSegmentation", "image-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForMaskedImageModeling", "image-feature-extraction"),
    ("ForAudioFrameClassification", "audio-classification"),
    ("ForAudioClassification", "audio-classification"),
    ("ForXVector", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForTextToSpeech", "text-to-speech"),
    ("ForSpeechToText", "automatic-speech-recognition"),
    ("ForVisualQuestionAnswering", "visual-question-answering"),
    ("ForTableQuestionAnswering", "table-question-answering"),
)
_PIPELINES = (
    (re.compile(r"Inpaint"), "image-inpainting"),
    (re.compile(r"Kontext|ImageEdit"), "image-editing"),
    (re.compile(r"Img2Img|Upscale|Pix2Pix|ImageVariation|Edit"), "image-to-image"),
    (re.compile(r"ImageToVideo|VideoDiffusionPipeline$"), "image-to-video"),
    (re.compile(r"Video|Animate|Mochi|HunyuanVideo|Wan(?!d)|LTX|CogVideo|TextToVideo"), "text-to-video"),
    (re.compile(r"Audio|Music|StableAudio"), "text-to-audio"),
    (re.compile(r"Depth"), "depth-estimation"),
    (re.compile(r"ShapE|3D"), "text-to-3d"),
    (
        re.compile(r"^(DDPM|DDIM|ScoreSdeVe|PNDM|KarrasVe|LDM|DiT|ConsistencyModel)Pipeline$"),
        "unconditional-image-generation",
    ),
    (
        re.compile(
            r"StableDiffusion|Flux|PixArt|Sana|Kandinsky|Lumina|HunyuanDiT|AuraFlow|Chroma|Cascade|Wuerstchen|IFPipeline|"
            r"LatentConsistency|DeepFloyd|UniDiffuser|Amused|VQDiffusion|LDMTextToImage|CogView|OmniGen|HiDream|QwenImage|ZImage"
        ),
        "text-to-image",
    ),
)
_CAUSAL = """
gpt2 gpt_neo gpt_neox gptj llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe gemma gemma2 gemma3_text phi phi3
falcon mamba mamba2 falcon_mamba bloom opt mpt olmo olmo2 stablelm starcoder2 cohere cohere2 granite rwkv openai-gpt
ctrl xglm persimmon recurrent_gemma jamba zamba smollm3 deepseek_v2 deepseek_v3 glm glm4
"""
_CAUSAL_TYPES = frozenset(_CAUSAL.split())
# What the same weights do through another pipeline of their family.
_ALSO = (
    (re.compile(r"^LTX(Condition)?Pipeline$"), ("image-to-video",)),
    (re.compile(r"^LTXImageToVideo"), ("text-to-video",)),
    (re.compile(r"^FluxKontext"), ("text-to-image",)),
    (re.compile(r"^Flux2"), ("image-editing",)),
)
# A model of these works on text that a tokenizer must cut into tokens first.
_ON_TEXT = """
text-generation text2text-generation fill-mask text-classification token-classification question-answering
multiple-choice image-text-to-text automatic-speech-recognition text-to-audio text-to-speech summarization
translation feature-extraction sentence-similarity
"""
TOKENIZED = frozenset(_ON_TEXT.split())
# Of those, what is used without a tokenizer often enough that its absence is not a fault.
_MAY_LACK = frozenset(("feature-extraction", "automatic-speech-recognition", "text-to-speech", "text-to-audio"))


def of_model(architectures: Iterable[str], model_type: str, tag: str, parts: Container[str] = ()) -> str:
    """The capability of a transformers model; the card's tag decides where the architecture does not.

    parts: the keys of its configuration, by which a model with eyes or ears is known.
    """
    for name in architectures:
        if name in _EXACT:
            return _EXACT[name]
        for ending, capability in _ENDINGS:
            if name.endswith(ending):
                return capability
        if name.endswith("ForConditionalGeneration"):
            return _conditional(name, parts)
    if tag:
        return tag
    if any(name.endswith("Model") for name in architectures):
        return "feature-extraction"
    return "text-generation" if model_type in _CAUSAL_TYPES else UNKNOWN


def _conditional(name: str, parts: Container[str]) -> str:
    if "TTS" in name:
        return "text-to-speech"
    if "vision_config" in parts or _SEEING.search(name):
        return "image-text-to-text"
    if "audio_config" in parts or _HEARING.search(name):
        return "automatic-speech-recognition"
    return "text2text-generation"


def of_tags(capability: str, tags: Container[str]) -> tuple[str, ...]:
    """What a model can do beside its capability, by its card's tags: makers tag models of code as `code`."""
    return (CODE,) if capability == SPECIAL[CODE] and "code" in tags else ()


def of_pipeline(name: str, tag: str) -> str:
    """The capability of a diffusers pipeline, by its class name."""
    return next((capability for pattern, capability in _PIPELINES if pattern.search(name)), tag or UNKNOWN)


def also(name: str) -> tuple[str, ...]:
    """What else a diffusers pipeline's weights can do, by its class name."""
    return next((more for pattern, more in _ALSO if pattern.search(name)), ())


def needs_tokenizer(capability: str) -> bool:
    return capability in TOKENIZED and capability not in _MAY_LACK
