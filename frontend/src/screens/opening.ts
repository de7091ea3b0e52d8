import { fetchStudy, putEdit } from "../api/server";
import { openJournal } from "../journal/journal";
import { SavingDesk } from "../journal/saving_desk";
import { TabChannel } from "../tabs/channel";
import { holdTab, livingTabs } from "../tabs/tab_locks";
import { Workplace } from "./workplace";

const RECOVER_MS = 30_000;

/** Ask for the study, open the journal, and send what earlier tabs have left. */
export async function openWorkplace(): Promise<Workplace> {
  const study = await fetchStudy();
  const tab = crypto.randomUUID();
  await holdTab(tab);
  const channel = new TabChannel(study.name, tab);
  const desk = new SavingDesk(
    {
      journal: await openJournal(),
      study: study.name,
      tab,
      send: putEdit,
      stored: (key, revision) => channel.tell({ type: "saved", key, revision }),
      now: () => Date.now(),
      newStroke: () => crypto.randomUUID(),
    },
    livingTabs,
  );
  await desk.recover();
  setInterval(() => void desk.recover(), RECOVER_MS);
  window.addEventListener("online", () => desk.retryAll());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") desk.flushAll();
    else desk.retryAll();
  });
  // Only where the browser keeps no journal would closing lose something.
  window.addEventListener("beforeunload", (event) => {
    if (desk.busy.some((saver) => !saver.journalled || !desk.world.journal.lasting)) event.preventDefault();
  });
  return new Workplace(study, desk, channel);
}
