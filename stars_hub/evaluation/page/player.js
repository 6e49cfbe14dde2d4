"use strict";
// Plays the recordings of the island "motions" on the canvases that name them.
(() => {
  const MISSING = -32768;
  const TURN = 0.01; // radians for a pixel of dragging
  const content = JSON.parse(document.getElementById("motions").textContent);
  const play = document.getElementById("play");
  const speed = document.getElementById("speed");
  const shownSpeed = document.getElementById("speed-shown");
  const front = document.getElementById("front");
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let time = 0; // seconds that have been played
  let colors = {};

  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Int16Array.from({ length: bytes.length / 2 }, (_, index) => view.getInt16(2 * index, true));
  }

  const views = Array.from(document.querySelectorAll("canvas[data-motion]"), (canvas) => {
    const motion = content.motions[Number(canvas.dataset.motion)];
    return { canvas, motion, layout: content.layouts[motion.layout], data: null, yaw: 0.35, pitch: 0.12, visible: true };
  });

  function readColors() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    colors = { l: color("--left"), r: color("--right"), m: color("--ink"), ground: color("--line"), paper: color("--panel") };
  }

  // Where a joint is at a time between two frames: [right, down] in pixels, or null where it is unknown.
  function projector(view, size) {
    const { motion, data } = view;
    const [frames, persons, joints] = motion.shape;
    const place = frames > 1 ? (time * motion.fps) % frames : 0;
    const before = Math.min(Math.floor(place), frames - 1);
    const after = Math.min(before + 1, frames - 1);
    const share = Math.min(place - before, 1);
    const [cosYaw, sinYaw, cosPitch, sinPitch] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const scale = (0.44 * size) / Math.max(motion.width, motion.height * cosPitch + motion.width * Math.abs(sinPitch));
    const toPixels = (x, y, z) => [
      size / 2 + scale * (x * cosYaw + z * sinYaw),
      size / 2 - scale * (y * cosPitch - (z * cosYaw - x * sinYaw) * sinPitch),
    ];
    const joint = (person, index) => {
      const first = 3 * ((before * persons + person) * joints + index);
      const second = 3 * ((after * persons + person) * joints + index);
      if (data[first] === MISSING) return null;
      const other = data[second] === MISSING ? first : second;
      const at = (axis) => motion.unit * (data[first + axis] + share * (data[other + axis] - data[first + axis]));
      return toPixels(at(0), at(1), at(2));
    };
    return { joint, toPixels };
  }

  function drawGround(context, view, toPixels) {
    const { width, height } = view.motion;
    context.beginPath();
    for (let step = 0; step <= 32; step += 1) {
      const angle = (2 * Math.PI * step) / 32;
      context.lineTo(...toPixels(width * Math.cos(angle), -height, width * Math.sin(angle)));
    }
    context.strokeStyle = colors.ground;
    context.lineWidth = 1;
    context.stroke();
  }

  function drawPerson(context, layout, points, width, number) {
    const known = points.filter((point) => point);
    if (!known.length) return;
    context.lineCap = "round";
    for (const [child, parent] of layout.bones) {
      if (!points[child] || !points[parent]) continue;
      context.beginPath();
      context.moveTo(...points[child]);
      context.lineTo(...points[parent]);
      context.strokeStyle = colors[layout.sides[child]];
      context.lineWidth = width;
      context.stroke();
    }
    points.forEach((point, index) => {
      if (!point) return;
      const side = layout.sides[index];
      context.beginPath();
      context.arc(...point, (index === layout.head ? 2.2 : 1) * width, 0, 2 * Math.PI);
      context.fillStyle = side === "r" ? colors.paper : colors[side];
      context.fill();
      context.strokeStyle = colors[side];
      context.lineWidth = width / 2;
      context.stroke();
    });
    if (number) {
      const top = known.reduce((highest, point) => (point[1] < highest[1] ? point : highest));
      context.fillStyle = colors.m;
      context.font = `${6 * width}px sans-serif`;
      context.textAlign = "center";
      context.fillText(String(number), top[0], top[1] - 3.5 * width);
    }
  }

  function draw(view) {
    const { canvas, motion, layout } = view;
    const size = Math.max(1, Math.round(canvas.clientWidth * (devicePixelRatio || 1)));
    if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
    view.data = view.data || unpacked(motion.data);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, size, size);
    const { joint, toPixels } = projector(view, size);
    drawGround(context, view, toPixels);
    const [, persons, joints] = motion.shape;
    for (let person = 0; person < persons; person += 1) {
      const points = Array.from({ length: joints }, (_, index) => joint(person, index));
      drawPerson(context, layout, points, size / 80, persons > 1 ? person + 1 : 0);
    }
  }

  const drawAll = () => views.forEach(draw);

  let last = null;
  function tick(now) {
    if (!playing) return;
    if (last !== null) time += Math.min((now - last) / 1000, 0.2) * Number(speed.value);
    last = now;
    views.filter((view) => view.visible).forEach(draw);
    requestAnimationFrame(tick);
  }

  function setPlaying(value) {
    playing = value;
    last = null;
    play.textContent = playing ? "Pause" : "Play";
    if (playing) requestAnimationFrame(tick);
  }

  function turn(view, yaw, pitch) {
    view.yaw += yaw;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + pitch));
    draw(view);
  }

  for (const view of views) {
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) turn(view, event.movementX * TURN, event.movementY * TURN);
    });
    canvas.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
      if (!turns[event.key]) return;
      event.preventDefault();
      turn(view, ...turns[event.key]);
    });
  }
  play.addEventListener("click", () => setPlaying(!playing));
  speed.addEventListener("input", () => { shownSpeed.textContent = `${Number(speed.value).toFixed(1)}×`; });
  front.addEventListener("click", () => views.forEach((view) => { view.yaw = view.pitch = 0; draw(view); }));

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) views.find((view) => view.canvas === entry.target).visible = entry.isIntersecting;
  });
  views.forEach((view) => watcher.observe(view.canvas));
  const repaint = () => { readColors(); drawAll(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("resize", drawAll);
  addEventListener("beforeprint", () => { document.documentElement.classList.add("printing"); repaint(); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); repaint(); });
  repaint();
  setPlaying(playing);
})();
