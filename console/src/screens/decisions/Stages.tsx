import type { MissView, ReasonView, RiskView, StageView } from "../../api/schema";
import { Effect } from "../../parts/Effect";
import { To } from "../../parts/links";
import { Untrusted } from "../../parts/Untrusted";
import { When } from "../../parts/When";

/** What each stage found, in the order in which they ran. */
export function Stages({ of }: { readonly of: readonly StageView[] }) {
  return (
    <ol className="stages">
      {of.map((each) => (
        <li key={each.stage}>
          <strong>{each.stage}</strong>
          <span><Effect of={each.effect} /></span>
          <div>
            {each.reasons?.map((reason) => <Reason key={`${reason.code} ${reason.rule} ${reason.sentence}`} of={reason} />)}
            {!!each.detail?.length && (
              <p className="soft">{each.detail.map((line, place) => <span key={line}>{place > 0 && " · "}<To id={line}><Untrusted own>{line}</Untrusted></To></span>)}</p>
            )}
            {each.paths?.map((path) => <p key={path} className="soft">through <Untrusted own>{path}</Untrusted></p>)}
            {each.paths_hidden && <p className="soft">through relations that only administrators and readers may see</p>}
            {!each.reasons?.length && !each.detail?.length && !each.paths?.length && <p className="soft">nothing against it</p>}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Reason({ of }: { readonly of: ReasonView }) {
  return (
    <p>
      <Untrusted own>{of.sentence}</Untrusted> <code className="soft">{of.code}</code>
      {of.rule && <> · rule <code>{of.rule}</code></>}
      {of.source && <> · from <code>{of.source}</code></>}
      {!!of.step && <> · hop {of.step}</>}
      {!!of.controls?.length && <span className="soft"> · {of.controls.join(", ")}</span>}
    </p>
  );
}

/** The smallest change that would have passed. */
export function Miss({ of }: { readonly of: MissView }) {
  if (of.never) return <p>nothing would make this pass{of.rule && <>, by rule <code>{of.rule}</code></>}</p>;
  return (
    <p>
      {of.argument && <>argument <Untrusted>{of.argument}</Untrusted>{" "}</>}
      {!!of.one_of?.length && <>is one of <Untrusted>{of.one_of.join(", ")}</Untrusted> </>}
      {of.at_most && <>is at most <Untrusted>{of.at_most}</Untrusted> </>}
      {of.at_least && <>is at least <Untrusted>{of.at_least}</Untrusted> </>}
      {of.absent && <>is left out </>}
      {of.approval_from && <>is approved by <Untrusted own>{of.approval_from}</Untrusted> </>}
      {!!of.excluding?.length && <>other than <Untrusted>{of.excluding.join(", ")}</Untrusted> </>}
      {of.relation && <>stands in relation <Untrusted own>{of.relation}</Untrusted> </>}
      {of.at && <>is made at <When at={of.at} /> </>}
      {of.rule && <span className="soft">by rule <code>{of.rule}</code></span>}
    </p>
  );
}

/** Points, and for what; their sum is the score. */
export function Risk({ of }: { readonly of: RiskView }) {
  return (
    <>
      <p><strong>{of.score}</strong> of 100</p>
      <ul>
        {of.contributions?.map((each) => (
          <li key={each.part}>
            <code>{each.part}</code> {each.points > 0 ? "+" : ""}{each.points} {each.because && <Untrusted own>{each.because}</Untrusted>}
          </li>
        ))}
      </ul>
    </>
  );
}
