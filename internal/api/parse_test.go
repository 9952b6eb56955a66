package api_test

import (
	"testing"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"53dc6228-c50b-46f7-8ad7-65e7159f1aae": true, "a_b-C": true,
		"": false, "abcd": false, "a.b.c.d": false, "abc/def": false, "job.>": false, "abcdé": false,
		"0123456789012345678901234567890123456": false,
	} {
		id, err := api.ParseID(s)
		if ok && (err != nil || id != job.ID(s)) {
			t.Errorf("%q: %q, %v", s, id, err)
		}
		if !ok && job.CodeOf(err) != job.NoSuchJob {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestParseRole(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		arn, account, name string // account "" = refused
	}{
		{"qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole", "100000000001", "COSBatch_QcsRole"},
		{"arn:aws:iam::100000000001:role/COSBatch_QcsRole", "100000000001", "COSBatch_QcsRole"},
		{"arn:aws:iam::1:role/service-role/batch", "1", "batch"},
		{"arn:aws-cn:iam::1:role/batch", "1", "batch"},
		{"arn:aws-us:iam::1:role/batch", "", ""},
		{"", "", ""},
		{"COSBatch_QcsRole", "", ""},
		{"qcs::cam::uin/:roleName/x", "", ""},
		{"qcs::cam::uin/1:roleName/", "", ""},
		{"qcs::cam::uin/1:roleName/a:b", "", ""},
		{"arn:aws:iam::1:user/x", "", ""},
		{"arn:aws:iam::1:role/a/", "", ""},
	} {
		role, err := api.ParseRole("RoleArn", tc.arn)
		if tc.account == "" {
			if job.CodeOf(err) != job.InvalidArgument {
				t.Errorf("%q: %v", tc.arn, err)
			}
			continue
		}
		if want := (job.Role{ARN: tc.arn, Account: tc.account, Name: tc.name}); err != nil || role != want {
			t.Errorf("%q: %v, %v", tc.arn, role, err)
		}
	}
}
