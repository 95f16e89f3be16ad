/** How often a second the sound is given. */
const samplesPerSecond = 8_000;
const headerBytes = 44;

/** A sound of this length as a WAV file: a byte for each sample, no packing, so that a place in time is a place in the file. */
export function sineWave(seconds: number): Buffer {
  const samples = seconds * samplesPerSecond;
  const file = Buffer.alloc(headerBytes + samples);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(headerBytes - 8 + samples, 4);
  file.write("WAVEfmt ", 8, "latin1");
  // Size of this part, plain samples, one channel, their rate, bytes a second, bytes and bits a sample.
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(samplesPerSecond, 24);
  file.writeUInt32LE(samplesPerSecond, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples, 40);
  for (let at = 0; at < samples; at++) {
    file[headerBytes + at] = 128 + Math.round(100 * Math.sin((at * 440 * 2 * Math.PI) / samplesPerSecond));
  }
  return file;
}
