"""LoRAs on a shared model: files of every layout, switching, and leaving no trace."""

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import convert_all_state_dict_to_peft, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from plugins.image import adapters
from plugins.image.params import Lora
from studio.errors import StudioError
from tests.guides_rig import Context, Models, painted, resident, together

pytestmark = [
    pytest.mark.worker,
    # PEFT asks transformers by an old name when an adapter is trained; nothing of the application does.
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return resident("sd15", tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return resident("sdxl", tmp_path_factory.mktemp("sdxl"))


def trained(module: Any, targets: list[str], seed: int, rank: int = 4) -> tuple[Any, dict[str, torch.Tensor]]:
    """What PEFT makes of a copy of `module` that was trained: the adapter in PEFT's layout."""
    torch.manual_seed(seed)
    copy = type(module).from_config(module.config) if hasattr(module, "from_config") else type(module)(module.config)
    model = get_peft_model(copy, LoraConfig(r=rank, lora_alpha=rank * 2, target_modules=targets))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model, get_peft_model_state_dict(model)


def bare(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("base_model.model."): tensor.contiguous() for key, tensor in state.items()}


def of_diffusers(loaded: Any, folder: Path, seed: int = 1, texts: bool = True) -> Path:
    kind = StableDiffusionXLPipeline if loaded.family.id == "sdxl" else StableDiffusionPipeline
    _, unet = trained(loaded.parts["unet"], TARGETS, seed)
    more = {}
    for part in ("text_encoder", "text_encoder_2"):
        if texts and part in loaded.parts:
            _, state = trained(loaded.parts[part], ["q_proj", "v_proj"], seed + 1)
            more[f"{part}_lora_layers"] = bare(state)
    kind.save_lora_weights(folder, unet_lora_layers=bare(unet), **more, weight_name=f"lora-{seed}.safetensors")
    return folder / f"lora-{seed}.safetensors"


def of_kohya(source: Path, path: Path, alpha: float = 4.0) -> Path:
    """diffusers' own conversion to kohya's keys, with its alphas at the rank, replaced by `alpha`."""
    state = convert_state_dict_to_kohya(convert_all_state_dict_to_peft(load_file(source)))
    for key in [key for key in state if key.endswith(".alpha")]:
        state[key] = torch.tensor(alpha)
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return path


def of_peft(loaded: Any, folder: Path, seed: int = 1) -> Path:
    model, _ = trained(loaded.parts["unet"], TARGETS, seed)
    model.save_pretrained(folder)
    return folder


def with_loras(loaded: Any, models: Models, loras: list[Lora], turns: Any = None, job: str = "job") -> torch.Tensor:
    ctx = Context(models, turns, job)
    with adapters.adapted(loaded, ctx, loras):
        return painted(loaded, ctx)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_every_layout_changes_the_picture_and_leaves_no_trace(family: str, request: Any, tmp_path: Path) -> None:
    loaded = request.getfixturevalue(family)
    plain = of_diffusers(loaded, tmp_path)
    files = [plain, of_kohya(plain, tmp_path / "kohya.safetensors"), of_peft(loaded, tmp_path / "peft")]
    before = painted(loaded)
    pictures = [with_loras(loaded, Models(file), [Lora(model=file.name)]) for file in files]
    for made in pictures:
        assert (made - before).abs().max() > 0.01
    # With its alpha at the rank, kohya's file says the same as diffusers'.
    torch.testing.assert_close(pictures[0], pictures[1])
    assert torch.equal(painted(loaded), before)


def test_alphas_of_kohya_and_peft_scale_as_their_libraries_say(sd15: Any, tmp_path: Path) -> None:
    plain = of_diffusers(sd15, tmp_path, texts=False)
    double = of_kohya(plain, tmp_path / "kohya.safetensors", alpha=8.0)  # rank 4: twice as strong
    folder = of_peft(sd15, tmp_path / "peft")  # the same tensors, alpha twice the rank
    models = Models(plain, double, folder)
    twice = with_loras(sd15, models, [Lora(model=plain.name, weight=2.0)])
    torch.testing.assert_close(with_loras(sd15, models, [Lora(model=double.name)]), twice, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(with_loras(sd15, models, [Lora(model=folder.name)]), twice, atol=1e-4, rtol=1e-4)


def test_the_same_picture_as_diffusers_itself(tmp_path: Path, sd15: Any) -> None:
    file = of_diffusers(sd15, tmp_path)
    mine = with_loras(sd15, Models(file), [Lora(model=file.name, weight=0.7)])
    other = resident("sd15", tmp_path)
    theirs = other.pipeline("text", other.make_scheduler())
    theirs.load_lora_weights(load_file(file), adapter_name="x")
    theirs.set_adapters(["x"], [0.7])
    torch.testing.assert_close(painted(other), mine)


def test_weight_zero_is_the_bare_model_and_negative_is_another_picture(sd15: Any, tmp_path: Path) -> None:
    file = of_diffusers(sd15, tmp_path)
    models, before = Models(file), painted(sd15)
    assert torch.equal(with_loras(sd15, models, [Lora(model=file.name, weight=0.0)]), before)
    plus = with_loras(sd15, models, [Lora(model=file.name, weight=0.5)])
    minus = with_loras(sd15, models, [Lora(model=file.name, weight=-0.5)])
    assert not torch.equal(minus, before)
    assert not torch.equal(minus, plus)


def test_the_same_lora_twice_acts_with_the_sum_of_its_weights(sd15: Any, tmp_path: Path) -> None:
    file = of_diffusers(sd15, tmp_path)
    models = Models(file)
    once = with_loras(sd15, models, [Lora(model=file.name, weight=0.75)])
    twice = with_loras(sd15, models, [Lora(model=file.name, weight=0.5), Lora(model=file.name, weight=0.25)])
    assert torch.equal(once, twice)


def test_jobs_in_turn_on_one_model_never_see_each_others_adapters(sd15: Any, tmp_path: Path) -> None:
    one, two = of_diffusers(sd15, tmp_path, 1), of_diffusers(sd15, tmp_path, 5)
    models = Models(one, two)
    stacks = {
        "a": [Lora(model=one.name)],
        "b": [],
        "c": [Lora(model=two.name, weight=0.5), Lora(model=one.name, weight=-0.5)],
    }
    alone = {name: with_loras(sd15, models, stack) for name, stack in stacks.items()}
    sd15.kept.clear()
    for module in adapters.modules(sd15).values():
        for name in list(getattr(module, "peft_config", {})):
            adapters._remove(module, name)
    jobs = {name: _job(sd15, models, stack, name) for name, stack in stacks.items()}
    mixed, order = together(jobs)
    assert order[:6] == ["a", "b", "c", "a", "b", "c"]
    for name in stacks:
        assert torch.equal(mixed[name], alone[name]), name


def _job(loaded: Any, models: Models, stack: list[Lora], name: str) -> Any:
    return lambda turns: with_loras(loaded, models, stack, turns, name)


def test_a_stack_inside_another_gives_back_what_was_on(sd15: Any, tmp_path: Path) -> None:
    one, two = of_diffusers(sd15, tmp_path, 1), of_diffusers(sd15, tmp_path, 5, texts=False)
    models = Models(one, two)
    before = painted(sd15)
    alone = with_loras(sd15, models, [Lora(model=one.name)])
    ctx = Context(models)
    with adapters.adapted(sd15, ctx, [Lora(model=one.name)]):
        with adapters.adapted(sd15, ctx, [Lora(model=two.name, weight=0.5)]):
            assert not torch.equal(painted(sd15, ctx), alone)
        assert torch.equal(painted(sd15, ctx), alone)
    assert torch.equal(painted(sd15), before)


def test_unused_adapters_are_dropped_beyond_a_few_and_the_last_leaves_plain_layers(tmp_path: Path) -> None:
    loaded = resident("sd15", tmp_path)
    kinds = [type(module) for module in loaded.parts["unet"].modules()]
    names = list(loaded.parts["unet"].state_dict())
    files = [of_diffusers(loaded, tmp_path, seed) for seed in range(1, 10)]
    models = Models(*files)
    sizes = []
    for file in files:
        with adapters.adapted(loaded, Context(models), [Lora(model=file.name)]):
            sizes.append(sum(t.numel() for t in loaded.parts["unet"].state_dict().values()))
            assert len(loaded.parts["unet"].peft_config) <= adapters.KEPT + 1
    assert sizes[-1] == sizes[adapters.KEPT + 1]
    for file in files[-3:]:  # an adapter that is there is not read again
        before = len(models.loads)
        with adapters.adapted(loaded, Context(models), [Lora(model=file.name)]):
            assert len(models.loads) == before
    for name in list(loaded.kept["adapters"].adapters):
        for module in adapters.modules(loaded).values():
            adapters._remove(module, name)
    assert list(loaded.parts["unet"].state_dict()) == names
    assert [type(module) for module in loaded.parts["unet"].modules()] == kinds


def test_the_key_for_prompt_embeddings_tells_of_text_encoders_only(sd15: Any, tmp_path: Path) -> None:
    deep, shallow = of_diffusers(sd15, tmp_path, 1), of_diffusers(sd15, tmp_path, 3, texts=False)
    models = Models(deep, shallow)

    def key(*loras: Lora) -> str:
        with adapters.adapted(sd15, Context(models), loras) as found:
            return found

    assert key() == key(Lora(model=shallow.name)) == key(Lora(model=deep.name, weight=0)) == ""
    assert key(Lora(model=deep.name)) != ""
    assert key(Lora(model=deep.name)) == key(Lora(model=deep.name), Lora(model=shallow.name))
    assert key(Lora(model=deep.name)) != key(Lora(model=deep.name, weight=0.5))


@pytest.mark.parametrize(("model", "lora"), [("sd15", "sdxl"), ("sdxl", "sd15")])
def test_a_lora_of_another_family_is_refused_naming_both(model: str, lora: str, request: Any, tmp_path: Path) -> None:
    loaded, other = request.getfixturevalue(model), request.getfixturevalue(lora)
    file = of_diffusers(other, tmp_path)
    before = painted(loaded)
    with pytest.raises(StudioError, match="made for another model") as caught:
        with_loras(loaded, Models(file), [Lora(model=file.name)])
    width = other.parts["unet"].config.cross_attention_dim
    assert f"reads text of width {width}" in caught.value.detail
    assert loaded.family.title in caught.value.detail
    assert torch.equal(painted(loaded), before)


def test_what_is_no_lora_is_refused_in_words(sd15: Any, tmp_path: Path) -> None:
    cases = {
        "whole.safetensors": ({"unet.conv_in.weight": torch.zeros(2)}, "is no LoRA"),
        "loha.safetensors": ({"lora_unet_x.hada_w1_a": torch.zeros(2)}, "LoHa"),
        "names.safetensors": (
            {f"lora_unet_nowhere_{i}.lora_{s}.weight": torch.zeros(4, 4) for i in "12" for s in ("down", "up")},
            "another model",
        ),
        "flux.safetensors": (
            {f"transformer.single_transformer_blocks.0.attn.to_q.lora_{s}.weight": torch.zeros(4, 4) for s in "AB"},
            "another model",
        ),
    }
    for name, (state, said) in cases.items():
        save_file(state, tmp_path / name)
        with pytest.raises(StudioError) as caught:
            with_loras(sd15, Models(tmp_path / name), [Lora(model=name)])
        assert said in str(caught.value), name
    (tmp_path / "torn.safetensors").write_bytes(b"\x00" * 20)
    (tmp_path / "pickle.bin").write_bytes(b"\x80\x02")
    for name in ("torn.safetensors", "pickle.bin"):
        with pytest.raises(StudioError):
            with_loras(sd15, Models(tmp_path / name), [Lora(model=name)])


def test_a_file_that_breaks_half_way_leaves_nothing(sd15: Any, tmp_path: Path, monkeypatch: Any) -> None:
    file = of_diffusers(sd15, tmp_path, 77)
    before, real, calls = painted(sd15), adapters._inject, []

    def broken(*given: Any) -> None:
        calls.append(given)
        real(*given)
        if len(calls) == 2:
            raise RuntimeError("the second part breaks")

    monkeypatch.setattr(adapters, "_inject", broken)
    with pytest.raises(RuntimeError, match="second part"):
        with_loras(sd15, Models(file), [Lora(model=file.name)])
    monkeypatch.undo()
    assert torch.equal(painted(sd15), before)
    assert not torch.equal(with_loras(sd15, Models(file), [Lora(model=file.name)]), before)


def test_rank_stabilised_peft_adapters_keep_their_scale(tmp_path: Path) -> None:
    from plugins.image.adapter_files import _peft_alpha

    down = torch.zeros(16, 3)
    assert _peft_alpha({"lora_alpha": 8}, "a.to_q", down) == 8
    assert _peft_alpha({"lora_alpha": 8, "use_rslora": True}, "a.to_q", down) / 16 == 2.0
    assert _peft_alpha({"lora_alpha": 8, "alpha_pattern": {"to_q": 3}}, "a.to_q", down) == 3
    assert _peft_alpha({}, "a.to_q", down) == 16


@pytest.mark.parametrize("family", ["sd3", "flux", "flux2", "z-image", "qwen-image"])
def test_adapters_of_transformer_families(family: str, tmp_path: Path) -> None:
    loaded = resident(family, tmp_path)
    _, state = trained(loaded.parts["transformer"], ["to_q", "to_k"], 1)
    kind = getattr(diffusers, loaded.family.pipelines["text"])
    kind.save_lora_weights(tmp_path, transformer_lora_layers=bare(state), weight_name="lora.safetensors")
    before = painted(loaded, steps=1)
    with adapters.adapted(loaded, Context(Models(tmp_path / "lora.safetensors")), [Lora(model="lora.safetensors")]):
        assert not torch.equal(painted(loaded, steps=1), before)
    assert torch.equal(painted(loaded, steps=1), before)
