// Package check tells why a lab does not boot a guest. Facts is what was seen
// from the guest's place, and Diagnose makes of it what was wrong first, with
// the evidence and what to change.
//
// It does not look by itself: package probe does that live, and Replay reads a
// capture.
package check
