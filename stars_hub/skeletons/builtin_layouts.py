"""The built-in skeleton layouts as pure data: (joint, parent) rows in the order of each format.

All layouts speak one vocabulary, so that conversion goes by name:

====================  ========================================================================================
name                  the place on the body
====================  ========================================================================================
pelvis                base of the spine at hip height (Kinect SpineBase and HipCenter, OpenPose MidHip)
spine_lower           lumbar spine (SMPL spine1)
spine_middle          middle of the spine (Kinect SpineMid and Spine, SMPL spine2, NITE torso)
spine_upper           thoracic spine (SMPL spine3)
shoulder_center       spine at shoulder height (Kinect SpineShoulder and ShoulderCenter, H36M thorax, and what
                      OpenPose and NITE call neck: the point midway between the shoulders)
neck_base, neck       UI-PRMD's point just above shoulder_center; the middle of the neck
head, head_top        centre of the skull; its highest point
nose, *_eye, *_ear    points of the face, also *_eye_inner, *_eye_outer, *_mouth
*_collar              inner end of the collar bone
*_shoulder … *_wrist  the joints of the arm
*_hand, *_hand_tip    palm; tip of the fingers; also *_thumb, *_index, *_pinky
*_hip … *_ankle       the joints of the leg
*_foot                middle of the foot; also *_heel, *_big_toe, *_small_toe
====================  ========================================================================================

`*` is `left` or `right`, always the person's own. A layout's axes are those its recordings usually have.
`front` is where a person looks who faces the camera (or stands in the format's rest pose); a frame is
right-handed. Sources stand at each layout.
"""

from typing import NamedTuple


class Table(NamedTuple):
    """One layout: rows of (joint, parent), "" for the parent of the root."""

    rows: tuple[tuple[str, str], ...]
    spine_middle: str
    up: str = "y"
    front: str = "-z"


# NTU RGB+D and PKU-MMD: Kinect v2, 1-based order of the dataset's own page; the tree is the bone list with
# which the field makes its bone stream (thumb and hand tip hang on the hand, in that order). Camera
# coordinates: metres, y up, z away from the camera, x to the camera's left.
_NTU25 = Table(
    (
        ("pelvis", "spine_middle"), ("spine_middle", "shoulder_center"), ("neck", "shoulder_center"),
        ("head", "neck"),
        ("left_shoulder", "shoulder_center"), ("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow"),
        ("left_hand", "left_wrist"),
        ("right_shoulder", "shoulder_center"), ("right_elbow", "right_shoulder"),
        ("right_wrist", "right_elbow"), ("right_hand", "right_wrist"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        ("left_foot", "left_ankle"),
        ("right_hip", "pelvis"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("right_foot", "right_ankle"),
        ("shoulder_center", ""),
        ("left_hand_tip", "left_thumb"), ("left_thumb", "left_hand"),
        ("right_hand_tip", "right_thumb"), ("right_thumb", "right_hand"),
    ),
    spine_middle="spine_middle",
)  # fmt: skip

# Kinect v1 (Kinect for Windows SDK 1.x, NUI_SKELETON_POSITION). Microsoft's own migration to v2 pairs
# HipCenter with SpineBase, Spine with SpineMid and ShoulderCenter with SpineShoulder; so do we. Mind that v1
# sets its hips some 8 cm higher and its spine only 8 cm above the hip centre (v2: 30 cm).
_KINECT20 = Table(
    (
        ("pelvis", ""), ("spine_middle", "pelvis"), ("shoulder_center", "spine_middle"),
        ("head", "shoulder_center"),
        ("left_shoulder", "shoulder_center"), ("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow"),
        ("left_hand", "left_wrist"),
        ("right_shoulder", "shoulder_center"), ("right_elbow", "right_shoulder"),
        ("right_wrist", "right_elbow"), ("right_hand", "right_wrist"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        ("left_foot", "left_ankle"),
        ("right_hip", "pelvis"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("right_foot", "right_ankle"),
    ),
    spine_middle="spine_middle",
)  # fmt: skip

# UTD-MHAD: the joints of Kinect v1, trunk from the head downwards (Chen, Jafari, Kehtarnavaz, ICIP 2015).
_UTD20 = Table(
    (
        ("head", "shoulder_center"), ("shoulder_center", "spine_middle"), ("spine_middle", "pelvis"),
        ("pelvis", ""),
        *_KINECT20.rows[4:],
    ),
    spine_middle="spine_middle",
)  # fmt: skip

# UI-PRMD's Kinect v2 positions (Vakanski et al., Data 3(1):2, 2018): waist, spine, chest, neck, head, head
# tip, then collar, upper arm, forearm, hand and upper leg, lower leg, foot, toes of both sides. A segment is
# named, its near end is meant: "left_forearm" is the elbow. Measured bone lengths say which Kinect v2 joint
# each is: "head" is Neck, "head_tip" is Head, "hand" is the wrist and "toes" the foot; "neck" lies 7 mm above
# the chest. Its people face +z: their axes are NTU's camera coordinates turned by 180 degrees.
_UIPRMD22 = Table(
    (
        ("pelvis", ""), ("spine_middle", "pelvis"), ("shoulder_center", "spine_middle"),
        ("neck_base", "shoulder_center"), ("neck", "neck_base"), ("head", "neck"),
        ("left_collar", "shoulder_center"), ("left_shoulder", "left_collar"), ("left_elbow", "left_shoulder"),
        ("left_wrist", "left_elbow"),
        ("right_collar", "shoulder_center"), ("right_shoulder", "right_collar"),
        ("right_elbow", "right_shoulder"), ("right_wrist", "right_elbow"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        ("left_foot", "left_ankle"),
        ("right_hip", "pelvis"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("right_foot", "right_ankle"),
    ),
    spine_middle="spine_middle",
    front="z",
)  # fmt: skip

# Human3.6M reduced to 17 joints (Martinez et al. 2017, VideoPose3D): hip, right leg, left leg, spine, thorax,
# neck/nose (on the face: nose here), head (its top), left arm, right arm. Axes: camera coordinates, as
# lifting networks give them; the motion capture world of the dataset itself is up_axis="z".
_H36M17 = Table(
    (
        ("pelvis", ""),
        ("right_hip", "pelvis"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        ("spine_middle", "pelvis"), ("shoulder_center", "spine_middle"), ("nose", "shoulder_center"),
        ("head_top", "nose"),
        ("left_shoulder", "shoulder_center"), ("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow"),
        ("right_shoulder", "shoulder_center"), ("right_elbow", "right_shoulder"),
        ("right_wrist", "right_elbow"),
    ),
    spine_middle="spine_middle",
    up="-y",
)  # fmt: skip

# COCO keypoints (Lin et al. 2014). The dataset draws a graph with loops; this tree keeps its limbs and hangs
# the shoulders on the nose and the hips on the shoulders, so that left and right mirror each other. The nose
# is the only joint in the middle of the body, hence both root and origin.
_COCO17 = Table(
    (
        ("nose", ""), ("left_eye", "nose"), ("right_eye", "nose"), ("left_ear", "left_eye"),
        ("right_ear", "right_eye"),
        ("left_shoulder", "nose"), ("right_shoulder", "nose"),
        ("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder"),
        ("left_wrist", "left_elbow"), ("right_wrist", "right_elbow"),
        ("left_hip", "left_shoulder"), ("right_hip", "right_shoulder"),
        ("left_knee", "left_hip"), ("right_knee", "right_hip"),
        ("left_ankle", "left_knee"), ("right_ankle", "right_knee"),
    ),
    spine_middle="nose",
    up="-y",
)  # fmt: skip

# OpenPose COCO and BODY_25 output (Cao et al. 2019; "Output format" in OpenPose's documentation). Its "neck"
# is the point between the shoulders.
_OPENPOSE18 = Table(
    (
        ("nose", "shoulder_center"), ("shoulder_center", ""),
        ("right_shoulder", "shoulder_center"), ("right_elbow", "right_shoulder"),
        ("right_wrist", "right_elbow"),
        ("left_shoulder", "shoulder_center"), ("left_elbow", "left_shoulder"), ("left_wrist", "left_elbow"),
        ("right_hip", "shoulder_center"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("left_hip", "shoulder_center"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        ("right_eye", "nose"), ("left_eye", "nose"), ("right_ear", "right_eye"), ("left_ear", "left_eye"),
    ),
    spine_middle="shoulder_center",
    up="-y",
)  # fmt: skip

_OPENPOSE25 = Table(
    (
        *_OPENPOSE18.rows[:8],
        ("pelvis", "shoulder_center"),
        ("right_hip", "pelvis"), ("right_knee", "right_hip"), ("right_ankle", "right_knee"),
        ("left_hip", "pelvis"), ("left_knee", "left_hip"), ("left_ankle", "left_knee"),
        *_OPENPOSE18.rows[14:],
        ("left_big_toe", "left_ankle"), ("left_small_toe", "left_big_toe"), ("left_heel", "left_ankle"),
        ("right_big_toe", "right_ankle"), ("right_small_toe", "right_big_toe"), ("right_heel", "right_ankle"),
    ),
    spine_middle="pelvis",
    up="-y",
)  # fmt: skip

# MediaPipe Pose (BlazePose, Bazarevsky et al. 2020): order and names of its documentation; its foot index is
# big_toe here. World landmarks: metres, y down, z away from the camera.
_MEDIAPIPE33 = Table(
    (
        ("nose", ""),
        ("left_eye_inner", "nose"), ("left_eye", "left_eye_inner"), ("left_eye_outer", "left_eye"),
        ("right_eye_inner", "nose"), ("right_eye", "right_eye_inner"), ("right_eye_outer", "right_eye"),
        ("left_ear", "left_eye_outer"), ("right_ear", "right_eye_outer"),
        ("left_mouth", "nose"), ("right_mouth", "nose"),
        ("left_shoulder", "nose"), ("right_shoulder", "nose"),
        ("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder"),
        ("left_wrist", "left_elbow"), ("right_wrist", "right_elbow"),
        ("left_pinky", "left_wrist"), ("right_pinky", "right_wrist"),
        ("left_index", "left_wrist"), ("right_index", "right_wrist"),
        ("left_thumb", "left_wrist"), ("right_thumb", "right_wrist"),
        ("left_hip", "left_shoulder"), ("right_hip", "right_shoulder"),
        ("left_knee", "left_hip"), ("right_knee", "right_hip"),
        ("left_ankle", "left_knee"), ("right_ankle", "right_knee"),
        ("left_heel", "left_ankle"), ("right_heel", "right_ankle"),
        ("left_big_toe", "left_heel"), ("right_big_toe", "right_heel"),
    ),
    spine_middle="nose",
    up="-y",
)  # fmt: skip

# SMPL (Loper et al. 2015): the 24 joints of its kinematic tree; the rest pose looks along +z.
_SMPL24 = Table(
    (
        ("pelvis", ""), ("left_hip", "pelvis"), ("right_hip", "pelvis"), ("spine_lower", "pelvis"),
        ("left_knee", "left_hip"), ("right_knee", "right_hip"), ("spine_middle", "spine_lower"),
        ("left_ankle", "left_knee"), ("right_ankle", "right_knee"), ("spine_upper", "spine_middle"),
        ("left_foot", "left_ankle"), ("right_foot", "right_ankle"), ("neck", "spine_upper"),
        ("left_collar", "spine_upper"), ("right_collar", "spine_upper"), ("head", "neck"),
        ("left_shoulder", "left_collar"), ("right_shoulder", "right_collar"),
        ("left_elbow", "left_shoulder"), ("right_elbow", "right_shoulder"),
        ("left_wrist", "left_elbow"), ("right_wrist", "right_elbow"),
        ("left_hand", "left_wrist"), ("right_hand", "right_wrist"),
    ),
    spine_middle="spine_middle",
    front="z",
)  # fmt: skip

# SBU Kinect Interaction (Yun et al. 2012): the 15 joints of OpenNI/NITE; its "neck" lies between the
# shoulders. The files hold normalised image-like coordinates, y down; undo their normalisation first (readme
# of the set).
_SBU15 = Table(
    (
        ("head", "shoulder_center"), ("shoulder_center", "spine_middle"), ("spine_middle", ""),
        ("left_shoulder", "shoulder_center"), ("left_elbow", "left_shoulder"), ("left_hand", "left_elbow"),
        ("right_shoulder", "shoulder_center"), ("right_elbow", "right_shoulder"),
        ("right_hand", "right_elbow"),
        ("left_hip", "spine_middle"), ("left_knee", "left_hip"), ("left_foot", "left_knee"),
        ("right_hip", "spine_middle"), ("right_knee", "right_hip"), ("right_foot", "right_knee"),
    ),
    spine_middle="spine_middle",
    up="-y",
)  # fmt: skip

TABLES: dict[str, Table] = {
    "ntu25": _NTU25,
    "kinect20": _KINECT20,
    "utd20": _UTD20,
    "uiprmd22": _UIPRMD22,
    "h36m17": _H36M17,
    "coco17": _COCO17,
    "openpose18": _OPENPOSE18,
    "openpose25": _OPENPOSE25,
    "mediapipe33": _MEDIAPIPE33,
    "smpl24": _SMPL24,
    "sbu15": _SBU15,
}
