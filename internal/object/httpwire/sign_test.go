package httpwire

import (
	"strings"
	"testing"
)

// The signatures of Tencent doc page 436/7778, and three more that an independent program made.
func TestQSignVectors(t *testing.T) {
	const second = "SKEXAMPLE"
	for _, v := range []struct {
		name, secret, method, plain string
		query                       []param
		header                      fields
		start, end                  int64
		want                        string
	}{
		{
			"the documentation's", "AKIDZfbOA78asKUYBcXFrJD0a1ICvR98JM", "PUT", "/testfile2", nil,
			fields{
				{"host", "testbucket-125000000.cos.ap-guangzhou.myqcloud.com"},
				{"x-cos-content-sha1", "db8ac1c259eb89d4a131b253bacfca5f319d54f2"},
				{"x-cos-stroage-class", "nearline"},
			},
			1480932292, 1481012292, "ce4ac0ecbcdb30538b3fee0a97cc6389694ce53a",
		},
		{
			"query with blanks", second, "POST", "/jobs/j/status",
			[]param{{"statusUpdateReason", "a b&c"}, {"requestedJobStatus", "Cancelled"}},
			fields{{"content-length", "0"}, {"host", "127.0.0.1:39635"}, {"x-cos-appid", "1250000000"}},
			1795350261, 1795353861, "efd02cd8e93c959849ef615fa7cb3d0bf3df37a6",
		},
		{
			"query with commas", second, "GET", "/jobs",
			[]param{{"jobStatuses", "Active,Complete"}, {"maxResults", "2"}, {"nextToken", "t"}},
			fields{{"host", "127.0.0.1:39635"}, {"x-cos-appid", "1250000000"}},
			1795350261, 1795353861, "2da6a377cbf1ab8e148d1bcc9e672af94ab6deeb",
		},
		{
			"decoded path, content headers", second, "POST", "/dir/a b.txt",
			[]param{{"restore", ""}, {"versionId", "VID"}},
			fields{
				{"content-length", "101"},
				{"content-md5", "q+NFo1S6UODL6uLB0bf1TQ=="},
				{"content-type", "application/xml"},
				{"host", "127.0.0.1:39635"},
			},
			1795350261, 1795353861, "7b974f7774e381c2ed144e91f5f547b9c487e291",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := newQSign()
			s.prepare(v.secret, v.start, v.end)
			got := s.authorization(&request{asked: asked{method: v.method, plain: v.plain}, query: v.query, out: v.header}, "AKID")
			if !strings.HasSuffix(got, "&q-signature="+v.want) {
				t.Errorf("authorization %s\nwant signature %s", got, v.want)
			}
		})
	}
}
