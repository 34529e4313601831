"use strict";
// Finds a number for which SHA-256(token + ":" + number) starts with enough zero bits.
// SHA-256 stands here in full because crypto.subtle is missing on plain-http sites.
(() => {
  const main = document.querySelector("main");
  const bar = document.querySelector("progress");
  const status = document.getElementById("status");
  const { token, difficulty } = main.dataset;
  const SEEN = `keygate solved ${location.pathname}`;

  // FIPS 180-4, section 4.2.2.
  const K = new Uint32Array([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ]);
  const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
  const w = new Uint32Array(64);
  const h = new Uint32Array(8);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  const block = (words, from) => {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = words[from + i];
      } else {
        const x = w[i - 15], y = w[i - 2];
        const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
        const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
      }
    }
    let a = h[0] | 0, b = h[1] | 0, c = h[2] | 0, d = h[3] | 0;
    let e = h[4] | 0, f = h[5] | 0, g = h[6] | 0, k = h[7] | 0;
    for (let i = 0; i < 64; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const t1 = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d;
    h[4] += e; h[5] += f; h[6] += g; h[7] += k;
  };

  // The first 32 bits of the hash of a short ASCII text: all that the work is measured by.
  const message = new Uint32Array(48);
  const firstWord = (text) => {
    const size = text.length;
    const end = ((size + 8) >> 6) * 16 + 16;
    message.fill(0, 0, end);
    for (let i = 0; i < size; i++) {
      message[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
    }
    message[size >> 2] |= 0x80 << (24 - 8 * (size & 3));
    message[end - 1] = size * 8;
    h.set(START);
    for (let from = 0; from < end; from += 16) block(message, from);
    return h[0];
  };

  const say = (text, isTrouble) => {
    status.textContent = text;
    status.className = isTrouble ? "trouble" : "";
    status.hidden = false;
    bar.hidden = isTrouble;
  };

  // Whether this page came back although the calculation was done a moment ago.
  const cameBack = () => {
    try {
      return Date.now() - Number(sessionStorage.getItem(SEEN)) < 10000;
    } catch {
      return true; // A browser that keeps nothing keeps no cookie either.
    }
  };

  const finish = async (number) => {
    say("Done. Opening the page …", false);
    const { origin, pathname, search } = location;
    const answer = await fetch(origin + pathname + search, {
      headers: { "x-keygate-solution": `${token}:${number}` },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
    if (answer.status !== 204) throw new Error(`status ${answer.status}`);
    sessionStorage.setItem(SEEN, String(Date.now()));
    location.reload();
  };

  let number = 0;
  const work = () => {
    // In slices, so that the page stays alive.
    for (const pause = performance.now() + 40; performance.now() < pause; ) {
      for (const stop = number + 256; number < stop; number++) {
        if (firstWord(`${token}:${number}`) >>> (32 - difficulty) === 0) {
          finish(number).catch(() => {
            say("The check did not succeed. Please reload this page to try again.", true);
          });
          return;
        }
      }
    }
    setTimeout(work);
  };

  if (!navigator.cookieEnabled || cameBack()) {
    say("Your browser did not keep the result. Please allow cookies for this site, then reload this page.", true);
  } else {
    say("Calculating. This takes a few seconds, and you don't have to do anything.", false);
    work();
  }
})();
