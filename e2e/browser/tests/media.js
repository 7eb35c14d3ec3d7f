/** Real photos and videos, made once, and files that are none. */

import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { open, stat, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

const GIB = 2 ** 30;

export class Media {
  constructor(directory) {
    this.directory = directory;
  }

  path(name) {
    return join(this.directory, name);
  }

  /** A photo, 1600 × 1067. */
  photo(name, colours = 'c0=#e9b872:c1=#2f6690:c2=#16425b:n=3') {
    return this.ffmpeg(name, [
      '-f',
      'lavfi',
      '-i',
      `gradients=s=1600x1067:${colours}:seed=7`,
      '-frames:v',
      '1',
    ]);
  }

  /** A video of two seconds. */
  video(name) {
    const source = ['-f', 'lavfi', '-i', 'gradients=s=640x360:d=2:seed=4:speed=0.05'];
    return this.ffmpeg(name, [...source, '-pix_fmt', 'yuv420p', '-movflags', '+faststart']);
  }

  /** The same video in a file of exactly this size: an MP4 may carry a box of free space. */
  async largeVideo(name, size = GIB) {
    const path = this.video(name);
    const { size: used } = await stat(path);
    const box = Buffer.alloc(8);
    box.writeUInt32BE(size - used);
    box.write('free', 4);
    await this.#extend(path, size, box, used);
    return path;
  }

  /** A file that says it is a video and is one byte beyond 5 GiB, without taking that room on the disk. */
  async tooLarge(name) {
    await writeFile(this.path(name), '');
    await this.#extend(this.path(name), 5 * GIB + 1, Buffer.from('x'), 0);
    return this.path(name);
  }

  async text(name, text) {
    await writeFile(this.path(name), text);
    return this.path(name);
  }

  ffmpeg(name, args) {
    // Under a plain name first: ffmpeg reads patterns into others.
    const plain = this.path(`plain${extname(name)}`);
    execFileSync('ffmpeg', ['-loglevel', 'error', '-y', ...args, plain]);
    renameSync(plain, this.path(name));
    return this.path(name);
  }

  async #extend(path, size, bytes, at) {
    const file = await open(path, 'r+');
    await file.write(bytes, 0, bytes.length, at);
    await file.truncate(size);
    await file.close();
  }
}
