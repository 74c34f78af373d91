package signaling

import "testing"

// TestTheRulesHoldInACluster runs the tests of the rules once more with their
// sockets on two nodes in turn.
func TestTheRulesHoldInACluster(t *testing.T) {
	clustered = 2
	defer func() { clustered = 0 }()
	for name, test := range map[string]func(*testing.T){
		"snapshot":           TestJoinAnswersWithASnapshot,
		"joining again":      TestJoiningAgainRepeatsTheSnapshotAndChangesTheState,
		"refusals":           TestJoinIsRefused,
		"thousand rooms":     TestASocketIsInAtMostAThousandRooms,
		"concurrent joins":   TestConcurrentJoinsFillARoomExactly,
		"duplicate users":    TestDuplicateUserReplacesTheOlderPeer,
		"guests":             TestGuestsAreNoDuplicates,
		"pages":              TestPeersComeInPages,
		"large states":       TestAPageOfLargeStatesEndsEarly,
		"locks":              TestLocks,
		"bound of locks":     TestLocksAreBounded,
		"metadata":           TestMetadataHasRevisions,
		"bound of metadata":  TestMetadataIsBounded,
		"hosts":              TestOnlyHostsModerate,
		"kick":               TestKick,
		"mute":               TestMuteIsTold,
		"promote":            TestPromote,
		"locked room":        TestLockedRoom,
		"empty locked room":  TestAnEmptyLockedRoomEnds,
		"close":              TestCloseRoom,
		"succession":         TestTheNextOldestSucceeds,
		"host leaves":        TestAHostThatLeavesIsSucceeded,
		"claims":             TestClaimsMakeHosts,
		"renewed identity":   TestARenewedIdentityCountsAtOnce,
		"hosts after reload": TestHostsByAgeAfterAReload,
		"role by a token":    TestARoleByARenewedTokenIsTold,
		"role by a resume":   TestARoleByAResumeIsTold,
		"role by a rule":     TestARoleByANewRuleIsTold,
		"known role":         TestARenewalTellsNothingThatIsKnown,
		"payloads":           TestWrongFieldsAreNamed,
		"batches":            TestLargeRoomsGetBatches,
		"batch and snapshot": TestABatchContinuesASnapshot,
		"brief loss":         TestABriefLossIsNoNews,
		"shrinking":          TestARoomThatShrinksFirstSendsItsBatch,
		"relay":              TestRelayIsByteForByte,
		"outsiders":          TestOutsidersAreNotReached,
		"sizes":              TestLimitsOfSize,
		"order":              TestOrderFromOnePeerToAnother,
		"message":            TestMessageToTheRoom,
		"message to a user":  TestMessageToAUser,
		"coming back":        TestAwayPeerComesBackWithWhatWasSentToIt,
		"grace":              TestAwayPeerLeavesAfterTheGraceTime,
		"no grace":           TestWithoutGraceALostPeerLeavesAtOnce,
		"takeover":           TestResumeTakesOverALiveSocket,
		"tokens":             TestATokenLivesUntilItsAnswerHasArrived,
		"owners of tokens":   TestATokenIsForItsRoomAndUser,
		"resume anyway":      TestResumeEntersLockedAndFullRooms,
		"bound of waiting":   TestWaitingEventsAreBounded,
		"flapping":           TestAFlappingPeerKeepsOneDeadline,
		"end of a room":      TestARoomEndsAfterItsLastPeer,
		"end of a call":      TestAnEndedCallLeavesNothing,
		"options":            TestOptionsApplyLive,
		"panic":              TestAPanicLeavesNoRoomLocked,
		"random histories":   TestRandomHistoriesFollowTheModel,
		"histories at once":  TestConcurrentHistoriesAgree,
	} {
		t.Run(name, func(t *testing.T) {
			lag = name == "random histories" || name == "histories at once"
			defer func() { lag = false }() // later tests do not expect it
			test(t)
		})
	}
}
