import { useEffect, useState } from "preact/hooks";
import type { Agreement, ConsensusMethod } from "../../api/messages";
import { fetchAgreement } from "../../api/server";
import type { OpenImage } from "./open_image";

/** How far the people who drew on this image agree, and one drawing made of theirs. Nothing where one drew alone. */
export function AgreementPanel({ image, makeConsensus }: { image: OpenImage; makeConsensus: (method: ConsensusMethod) => void }) {
  const [found, setFound] = useState<Agreement | null>(null);
  const base = image.saver?.state.base ?? 0;
  useEffect(() => {
    let left = false;
    setFound(null);
    fetchAgreement(image.key).then(
      (agreement) => !left && setFound(agreement),
      () => undefined, // the history beside it says what is wrong
    );
    return () => {
      left = true;
    };
  }, [image, base]);
  if (found === null || found.annotators.length < 2) return null;
  return (
    <section class="agreement" aria-label="Agreement">
      <h3>Agreement of {found.annotators.length} edits</h3>
      {found.left_out > 0 && <p class="quiet">{found.left_out} more are left out</p>}
      <dl>
        {found.pairs.slice(0, PAIRS_SHOWN).map((pair) => (
          <div key={`${pair.first}\n${pair.second}`}>
            <dt>
              <bdi>{pair.first}</bdi> and <bdi>{pair.second}</bdi>
            </dt>
            <dd>{pair.dice === null ? "nothing relevant" : `Dice ${pair.dice.toFixed(2)}`}</dd>
          </div>
        ))}
        {found.pairs.length > PAIRS_SHOWN && <p class="quiet">and {found.pairs.length - PAIRS_SHOWN} more pairs</p>}
        <div>
          <dt title="Krippendorff's alpha over the cells: 1 is perfect agreement, 0 is chance">All, alpha</dt>
          <dd>{found.alpha === null ? "–" : found.alpha.toFixed(2)}</dd>
        </div>
      </dl>
      <div class="agreement-acts">
        <button class="button" onClick={() => makeConsensus("mean")} title="Mean of all; trusted less where they differ">
          Mean of all
        </button>
        <button class="button" onClick={() => makeConsensus("vote")} title="STAPLE: a vote in which reliable people count more">
          Vote of all
        </button>
      </div>
    </section>
  );
}

const PAIRS_SHOWN = 6;
