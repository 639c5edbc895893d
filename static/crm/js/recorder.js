// A voice message from the microphone: recorded here, turned into WhatsApp's own format on the server.
(() => {
  const LONGEST = 15 * 60;
  const TYPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
  const newId = () => crypto.randomUUID?.() ?? document.querySelector("#composer [name=client_id]").value;
  const kind = () => TYPES.find((type) => window.MediaRecorder?.isTypeSupported(type));

  const offer = (root) => {
    if (!kind() || !navigator.mediaDevices?.getUserMedia) return;
    root.querySelectorAll?.("[data-record]").forEach((button) => (button.hidden = false));
  };
  document.addEventListener("DOMContentLoaded", () => offer(document));
  document.addEventListener("htmx:load", (event) => offer(event.target));

  const start = async (form) => {
    let sound;
    try {
      sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return; // the browser has said that it may not listen
    }
    const panel = form.querySelector("[data-recorder]");
    const tools = form.querySelector(".composer__tools");
    const recorder = new MediaRecorder(sound, { mimeType: kind(), audioBitsPerSecond: 32_000 });
    const parts = [];
    const began = Date.now();
    let isWanted = false;
    const tick = setInterval(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      panel.querySelector("[data-time]").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (seconds >= LONGEST) end(true);
    }, 250);
    const end = (wanted) => {
      isWanted = wanted;
      if (recorder.state !== "inactive") recorder.stop();
    };
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", async () => {
      clearInterval(tick);
      sound.getTracks().forEach((track) => track.stop());
      panel.hidden = true;
      tools.hidden = false;
      if (!isWanted || !parts.length) return;
      const data = new FormData(form);
      data.delete("uploads");
      data.set("text", "");
      data.set("client_id", newId());
      data.set("voice", "1");
      const type = recorder.mimeType.split(";")[0];
      data.append("uploads", new File(parts, `voice.${type.split("/")[1]}`, { type }));
      await window.ventanaFiles.send(form, data);
    });
    panel.querySelector("[data-discard]").onclick = () => end(false);
    panel.querySelector("[data-send-recording]").onclick = () => end(true);
    panel.hidden = false;
    tools.hidden = true;
    recorder.start(1000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-record]");
    if (button) start(button.form ?? button.closest("form"));
  });
})();
