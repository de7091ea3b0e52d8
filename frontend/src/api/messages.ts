import type { components } from "./schema";

type Schemas = components["schemas"];

export type Study = Schemas["StudyMessage"];
export type Item = Schemas["Item"];
export type ImageFacts = Schemas["ImageMessage"];
export type ImagePage = Schemas["ListMessage"];
export type Job = Schemas["JobMessage"];
export type Counts = Schemas["Counts"];
export type States = Schemas["States"];
export type HistoryEntry = Schemas["HistoryEntry"];
export type Verdict = Schemas["VerdictMessage"]["verdict"];
export type Select = Partial<Pick<Schemas["SelectMessage"], "box" | "sketch">> & Pick<Schemas["SelectMessage"], "points">;
export type Place = Schemas["PlaceMessage"];
export type StateName = Item["state"];
export type GroupName = keyof Counts;
export type RatingStanding = Schemas["RatingsMessage"];
export type Trial = Schemas["TrialMessage"];
export type RatingResult = Schemas["RatingResult"];
export type Comparison = Schemas["ComparisonMessage"];
export type ComparedRun = Schemas["ComparedRun"];
export type Agreement = Schemas["AgreementMessage"];
export type ConsensusMethod = Schemas["ConsensusMessage"]["method"];
