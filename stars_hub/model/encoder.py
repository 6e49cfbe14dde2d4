"""STARSEncoder: the network, its checkpoints, and features of recordings as they come."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stars_hub import checkpoints
from stars_hub.errors import ConfigError, LayoutError
from stars_hub.model.config import EncoderConfig
from stars_hub.model.loading import as_device, as_dtype, read_encoder_config, read_layout
from stars_hub.model.network import SkeletonTransformer, resize_temp_embed
from stars_hub.model.preparation import Preparation, prepared_batches
from stars_hub.model.sources import Sequences, layout_of, opened
from stars_hub.skeletons.conversion import nearest_joints
from stars_hub.skeletons.layouts import SkeletonLayout, get_layout


class STARSEncoder(SkeletonTransformer):
    """Encoder of 3D skeleton recordings: one call from files to features.

    Args:
        config: sizes, and how recordings are prepared.
        layout: the joint layout, where `config.layout` names one of the user's own.

    Attributes:
        own_layout: as given; it travels with the model's folder.

    Shape:
        (N, C, T, V, M), metres -> features (N, D)

    Reference: STARS, arXiv 2407.10935; MAMP, arXiv 2308.07092.

    >>> encoder = STARSEncoder(EncoderConfig(embed_dim=32, depth=2, num_heads=4)).eval()
    >>> encoder.encode([np.random.randn(40, 25, 3), np.random.randn(90, 2, 25, 3)]).shape
    (2, 32)
    """

    def __init__(self, config: EncoderConfig, *, layout: SkeletonLayout | None = None) -> None:
        super().__init__(config)
        if layout is not None and layout.name != config.layout:
            raise ConfigError(f"the configuration names layout {config.layout!r}, got {layout.name!r}")
        self.own_layout = layout

    @property
    def layout(self) -> SkeletonLayout:
        """The joint layout that the encoder was made for.

        Raises:
            LayoutError: the name is unknown, or the layout has another number of joints.
        """
        layout = self.own_layout or get_layout(self.config.layout)
        if layout.num_joints != self.config.num_joints:
            raise LayoutError(
                f"the encoder takes {self.config.num_joints} joints, but its layout {layout.name!r} has "
                f"{layout.num_joints}"
            )
        return layout

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        subfolder: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        num_frames: int | None = None,
    ) -> "STARSEncoder":
        """Load an encoder, ready for use (in evaluation mode).

        Args:
            name: a folder; a Hub id "owner/name", also "owner/name@revision"; or a bundled name.
            revision: branch, tag or commit on the Hub.
            subfolder: folder within the repository that holds the model.
            cache_dir: where downloads are kept; None: huggingface_hub's own place.
            token: Hub token for private and gated repositories; None: the one logged in with.
            local_files_only: do not ask the Hub, take what is in the cache.
            force_download: download again, whatever is in the cache.
            device: where the encoder goes.
            dtype: of the weights; None: float32, however they are stored.
            num_frames: frames that the encoder is to see; another number than it was trained with
                resizes its temporal embedding.

        Raises:
            CheckpointError: the model cannot be found, read, or is not one.
            ConfigError: a device, dtype or number of frames that cannot be.
        """
        device, dtype = as_device(device), as_dtype(dtype)
        folder = checkpoints.resolve_model(
            name,
            revision=revision,
            subfolder=subfolder,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
            force_download=force_download,
        )
        tensors = checkpoints.read_tensors(folder / checkpoints.WEIGHTS_NAME)
        encoder = cls(read_encoder_config(folder, tensors), layout=read_layout(folder))
        checkpoints.load_strict(encoder, tensors, source=str(folder / checkpoints.WEIGHTS_NAME))
        if num_frames is not None:
            encoder.set_num_frames(num_frames)
        return encoder.to(device=device, dtype=dtype).eval()

    def set_num_frames(self, num_frames: int) -> None:
        """Let the encoder see another number of frames, by resizing its temporal embedding.

        Args:
            num_frames: a multiple of the frame patch.

        Raises:
            ConfigError: the frame patch does not divide it.
        """
        config = dataclasses.replace(self.config, num_frames=num_frames)
        resized = resize_temp_embed(self.temp_embed.detach(), config.num_frame_patches)
        self.temp_embed = torch.nn.Parameter(resized, requires_grad=self.temp_embed.requires_grad)
        self.config = config

    def with_layout(self, layout: str | SkeletonLayout) -> "STARSEncoder":
        """Make an encoder for recordings of another layout, to be fine-tuned in that layout.

        Joints that both layouts have keep their embedding; a new one starts from that of its nearest
        neighbour along the bones. All other weights are copied.

        Args:
            layout: the new layout or its name.

        Raises:
            ConfigError: the encoder has patches of several joints.
            LayoutError: the layouts share no joint.
        """
        if self.config.joint_patch_size != 1:
            raise ConfigError(
                f"a patch must be of one joint, this encoder's has {self.config.joint_patch_size}"
            )
        layout = get_layout(layout)
        config = dataclasses.replace(self.config, layout=layout.name, num_joints=layout.num_joints)
        encoder = STARSEncoder(config, layout=layout)
        state = self.state_dict()
        state["pos_embed"] = state["pos_embed"][:, :, nearest_joints(self.layout, layout)]
        encoder.load_state_dict(state)
        return encoder.to(device=self.pos_embed.device, dtype=self.pos_embed.dtype).train(self.training)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        dtype: torch.dtype | None = None,
        card: "str | checkpoints.ModelCard | None" = None,
    ) -> Path:
        """Write the encoder as a model folder that `from_pretrained` loads.

        Args:
            folder: appears whole or not at all; an earlier model in it is replaced.
            dtype: of the weights on disk, such as torch.float16; None: as they are.
            card: the model card; None: a plain one.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        layout = None if self.own_layout is None else self.own_layout.to_dict()
        card = card or self._default_card(Path(folder).resolve().name)
        return checkpoints.write_model(
            folder,
            config=self.config.to_dict(),
            tensors=self.state_dict(),
            card=card if isinstance(card, str) else card.render(),
            layout=layout,
            dtype=dtype,
        )

    def push_to_hub(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str | None = None,
        create_pr: bool = False,
        dtype: torch.dtype | None = None,
        card: "str | checkpoints.ModelCard | None" = None,
    ) -> str:
        """Publish the encoder to the Hugging Face Hub; the repository is made if it is not there.

        Args:
            repo_id: "owner/name".
            revision: branch to write to.
            private: whether a new repository is private.
            token: Hub token; None: the one logged in with.
            commit_message: what the commit says.
            create_pr: open a pull request rather than commit.
            dtype: as in `save_pretrained`.
            card: as in `save_pretrained`.

        Returns:
            The address of the commit.

        Raises:
            CheckpointError: the Hub refuses.
        """
        card = card or self._default_card(repo_id)
        with tempfile.TemporaryDirectory() as parent:
            folder = self.save_pretrained(Path(parent) / "model", dtype=dtype, card=card)
            return checkpoints.push_folder(
                folder,
                repo_id,
                revision=revision,
                private=private,
                token=token,
                commit_message=commit_message,
                create_pr=create_pr,
            )

    def _default_card(self, name: str) -> checkpoints.ModelCard:
        return checkpoints.ModelCard(name, config=self.config.to_dict())

    @torch.inference_mode()
    def encode(
        self,
        sequences: Sequences,
        *,
        batch_size: int = 64,
        layout: str | SkeletonLayout | None = None,
        units: str = "m",
        up_axis: str | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        normalize: bool = False,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Describe recordings by one vector each, however long they are.

        Each is prepared as `stars_hub.model.preparation` says: joints converted, gaps filled, centred,
        the central 95 % resampled to the encoder's frames. Recordings are read, prepared and encoded
        batch by batch: beyond the features, memory does not grow with their number.

        Args:
            sequences: one sequence (T, V, 3) or (T, M, V, 3), T >= 1, NaN where a joint is unknown; a
                list or an iterator of them; a store; a path to a file or folder, or a list of paths.
            batch_size: sequences encoded at a time.
            layout: joint layout of the recordings; None: that of the store, else the encoder's.
            units: of the coordinates: "m", "cm", "mm" or "pixels".
            up_axis: axis of the recordings that points up; None: that of their layout.
            device: moves the encoder there first; None: where it is.
            dtype: torch.bfloat16 or torch.float16 compute in that precision (autocast).
            normalize: scale each feature to length 1.
            progress: show a progress bar; None: if it takes longer than two seconds.

        Returns:
            float32 features (N, D), in the order of the sequences.

        Raises:
            ConfigError: a batch size, device or dtype that cannot be.
            SequenceError: a sequence with an impossible shape or values.
            LayoutError: an unknown layout, or another number of joints than it has.
            SkeletonFileError: a file that cannot be read.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        if device is not None:
            self.to(as_device(device))
        sequences = opened(sequences)
        source = layout if layout is not None else layout_of(sequences)
        preparation = Preparation(self.config, self.layout, source, units, up_axis)
        batches = prepared_batches(sequences, preparation, batch_size=batch_size, progress=progress)
        was_training = self.training
        self.eval()
        try:
            features = [self._encode_batch(x, as_dtype(dtype)).float().cpu() for x in batches]
        finally:
            self.train(was_training)
        stacked = torch.cat(features) if features else torch.empty(0, self.config.embed_dim)
        return (torch.nn.functional.normalize(stacked) if normalize else stacked).numpy()

    def _encode_batch(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        weight = self.pos_embed
        mixed = weight.dtype == torch.float32 and dtype != torch.float32
        with torch.autocast(weight.device.type, dtype=dtype, enabled=mixed):
            return self(x.to(device=weight.device, dtype=weight.dtype))
