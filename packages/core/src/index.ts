/**
 * Enrolment into Loyalty+ milestones and streaks as Effect programs.
 *
 * Every module is a namespace here and a subpath of its own, e.g. `@milepost/core/Enroll`.
 */
export * as ApiError from "./ApiError.js"
export * as Attempts from "./Attempts.js"
export * as Credentials from "./Credentials.js"
export * as DataScope from "./DataScope.js"
export * as Decode from "./Decode.js"
export * as Disposition from "./Disposition.js"
export * as Enroll from "./Enroll.js"
export * as Enrollment from "./Enrollment.js"
export * as EnrollPeriods from "./EnrollPeriods.js"
export * as ErrorCatalog from "./ErrorCatalog.js"
export * as GatewayError from "./GatewayError.js"
export * as Ids from "./Ids.js"
export * as Outcome from "./Outcome.js"
export * as Reconcile from "./Reconcile.js"
export * as RetryPolicy from "./RetryPolicy.js"
export * as TargetGroups from "./TargetGroups.js"
export * as Tracing from "./Tracing.js"
export * as Transport from "./Transport.js"
export * as TransportError from "./TransportError.js"
export * as Unenroll from "./Unenroll.js"
export * as Unenrollment from "./Unenrollment.js"
export * as Wire from "./Wire.js"
