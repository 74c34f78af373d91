/**
 * Shows the level of the microphone in a meter, so that people see before the call that they can be heard.
 * It stops when the microphone is off and when the meter cannot be seen.
 *
 * @param {HTMLMeterElement} meter
 * @param {import("./media.js").LocalMedia} media
 */
export function showLevel(meter, media) {
  let context = null;
  const stop = () => {
    context?.close();
    context = null;
    meter.value = 0;
  };
  const start = () => {
    context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 512 });
    context.createMediaStreamSource(media.stream).connect(analyser);
    draw(meter, analyser, () => context === analyser.context);
  };
  const update = () => {
    stop();
    if (media.audio && meter.checkVisibility()) start();
  };
  media.addEventListener("change", update);
  new IntersectionObserver(update).observe(meter);
}

function draw(meter, analyser, going) {
  const samples = new Float32Array(analyser.fftSize);
  const frame = () => {
    if (!going()) return;
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    meter.value = Math.min(1, Math.sqrt(power) * 4);
    requestAnimationFrame(frame);
  };
  frame();
}
