import { detailOf } from "../../api/errors";
import type { RatingStanding, Trial } from "../../api/messages";
import type { RatingQuestion } from "../../api/server";
import type { AttentionMap } from "../../heat/attention_map";

/** What the rating asks of the outside. */
export interface RatingWorld {
  standing(question: RatingQuestion): Promise<RatingStanding>;
  trial(number: number, question: RatingQuestion): Promise<Trial>;
  map(number: number, question: RatingQuestion): Promise<AttentionMap>;
  picture(key: number): Promise<HTMLImageElement>;
  post(number: number, value: number, question: RatingQuestion): Promise<void>;
}

interface Shown {
  readonly trial: Trial;
  readonly map: AttentionMap;
  readonly picture: HTMLImageElement;
}

/** One person's way through the maps of a question. A rating counts as given when the server has it. */
export class RatingRound {
  total = 0;
  rated = 0;
  number = 0;
  shown: Shown | null = null;
  error: string | null = null;
  /** The value on its way to the server. */
  sending: number | null = null;
  private readonly given = new Map<number, number>();
  private readonly loading = new Map<number, Promise<Shown>>();
  private readonly listeners = new Set<() => void>();

  constructor(
    readonly question: RatingQuestion,
    private readonly world: RatingWorld,
  ) {}

  get done(): boolean {
    return this.total > 0 && this.number >= this.total;
  }

  /** This person's rating of the map that is shown. */
  get value(): number | null {
    return this.given.get(this.number) ?? this.shown?.trial.value ?? null;
  }

  /** Go to the first map without a rating. */
  async start(): Promise<void> {
    await this.trying(async () => {
      const standing = await this.world.standing(this.question);
      this.total = standing.total;
      this.rated = standing.rated;
      await this.goTo(standing.next ?? standing.total);
    });
  }

  again(): Promise<void> {
    return this.goTo(0);
  }

  async goTo(number: number): Promise<void> {
    this.number = Math.min(this.total, Math.max(0, number));
    this.shown = null;
    this.tell();
    if (this.done) return;
    await this.trying(async () => {
      const asked = this.number;
      const shown = await this.load(asked);
      if (asked !== this.number) return;
      this.shown = shown;
      if (asked + 1 < this.total) this.load(asked + 1).catch(() => undefined);
    });
  }

  /** Rate the shown map and go on; where it fails, the map stays and nothing counts as rated. */
  async rate(value: number): Promise<void> {
    if (this.shown === null || this.sending !== null) return;
    this.sending = value;
    this.tell();
    const number = this.number;
    const first = this.value === null;
    await this.trying(async () => {
      await this.world.post(number, value, this.question);
      this.given.set(number, value);
      if (first) this.rated++;
    });
    this.sending = null;
    if (this.error === null) await this.goTo(number + 1);
    else this.tell();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private load(number: number): Promise<Shown> {
    let found = this.loading.get(number);
    if (found === undefined) {
      found = Promise.all([this.world.trial(number, this.question), this.world.map(number, this.question)]).then(
        async ([trial, map]) => ({ trial, map, picture: await this.world.picture(trial.key) }),
      );
      found.catch(() => this.loading.delete(number));
      this.loading.set(number, found);
      for (const old of this.loading.keys()) if (Math.abs(old - number) > KEPT) this.loading.delete(old);
    }
    return found;
  }

  private async trying(act: () => Promise<void>): Promise<void> {
    this.error = null;
    try {
      await act();
    } catch (error) {
      this.error = detailOf(error);
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

const KEPT = 4;
