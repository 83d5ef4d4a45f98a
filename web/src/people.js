// Finder and landmarks check each other, in a picture and from frame to frame: pose2mesh/detectors/{blazepose,video}.py.
import { findPeople } from "./finder.js";
import { look, regionOf } from "./landmarks.js";
import { Region } from "./pixels.js";
import { convert, extent, nearness, similarity, tables, unlike } from "./poses.js";

const { agree, sureFind, present, closer, finderShare, seen, doubted, cocoRows, fromCoco, toCoco, samePerson, missing, empty, doubts } = tables;
const EVERY = 30; // frames between two searches: the finder costs more here than in Python

export class People {
  constructor({ finder, landmarks, follower }) {
    Object.assign(this, { finder, landmarks, follower });
    this.forget();
  }

  /** Begin anew: what comes is another video. */
  forget() {
    Object.assign(this, { people: [], frame: 0, nextSearch: 0, nextTrack: 0 });
  }

  /** People { joints: 33, track } of a picture by itself, largest first. */
  async inPicture(image) {
    return ordered(await this.confirm(image, await findPeople(this.finder, image, { withTiles: true })), image);
  }

  /** The same in the next frame of a video; `track` follows a person. */
  async inFrame(image) {
    const before = this.people.length;
    const followed = [];
    for (const person of this.people) {
      const found = await look(this.follower, image, person.region);
      if (found.score >= present) followed.push({ ...person, joints: found.joints, region: found.region });
    }
    this.people = distinct(followed);
    if (this.frame >= this.nextSearch || this.people.length < before) {
      await this.search(image);
      this.nextSearch = this.frame + (this.people.length ? EVERY : empty);
    }
    this.frame++;
    return ordered(this.people, image);
  }

  async search(image) {
    const isAmong = (person, all) => all.some((find) => similarity(convert(person.joints, toCoco), find.pose) >= agree);
    const isKnown = this.people.length > 0;
    let finds = await findPeople(this.finder, image, { withTiles: this.frame === 0, isQuick: isKnown });
    if (isKnown && !this.people.every((person) => isAmong(person, finds))) finds = await findPeople(this.finder, image, {});
    for (const person of this.people) person.doubts = isAmong(person, finds) ? 0 : (person.doubts || 0) + 1;
    this.people = this.people.filter((person) => person.doubts < doubts);
    const unknown = finds.filter((find) => !this.people.some((person) => similarity(convert(person.joints, toCoco), find.pose) >= agree));
    for (const person of await this.confirm(image, unknown)) {
      if (distinct([...this.people, person]).length > this.people.length) this.people.push({ ...person, track: this.nextTrack++ });
    }
  }

  async confirm(image, finds) {
    const people = [];
    for (const find of finds) {
      const first = await look(this.landmarks, image, regionOf(find.pose));
      let found = closest(find, [await look(this.landmarks, image, first.region, true), first]);
      if (agreement(found, find) < agree) {
        const { center, side, up } = regionOf(find.pose);
        found = closest(find, [found, await look(this.landmarks, image, new Region(center, closer * side, up))]);
      }
      if (agreement(found, find) >= agree) people.push({ joints: blended(found.joints, find.pose), region: found.region });
      else if (find.score >= sureFind) people.push({ joints: convert(find.pose, fromCoco), region: regionOf(find.pose) });
    }
    return distinct(people);
  }
}

const agreement = (found, find) => (found.score >= present ? similarity(found.coco, find.pose) : 0);
const distinct = (people) => unlike(people, samePerson, (person) => convert(person.joints, toCoco));

function closest(find, candidates) {
  const rank = candidates.map((found) => Math.min(agreement(found, find), agree));
  return candidates[rank.indexOf(Math.max(...rank))];
}

function blended(joints, pose) {
  const coco = convert(joints, toCoco), near = nearness(coco, pose), mixed = joints.map((joint) => [...joint]);
  for (const [i, row] of cocoRows.entries()) {
    if (pose[i][2] < seen) continue;
    for (const axis of [0, 1]) mixed[row][axis] += finderShare * near[i] * (pose[i][axis] - coco[i][axis]);
    mixed[row][2] *= doubted + (1 - doubted) * near[i];
  }
  return mixed;
}

function ordered(people, { width, height }) {
  const isIn = ([x, y, confidence]) => x >= 0 && y >= 0 && x < width && y < height && confidence >= missing;
  const shown = people.map(({ joints, track }) => ({ track, joints: joints.map((joint) => [joint[0], joint[1], isIn(joint) ? joint[2] : 0]) }));
  return shown.sort((a, b) => extent(b.joints) - extent(a.joints));
}
