// SPDX-License-Identifier: Apache-2.0
using System.Collections;
using UnityEngine;
using UnityEngine.Networking;

namespace Segue.Samples
{
    /// <summary>
    /// Stands in for the authoritative game server, which begins matches and says what happens in them, so that the sample can be
    /// tried without one. It has no place in a game: whoever holds the server's key can end everybody's match.
    /// </summary>
    [RequireComponent(typeof(MatchMusic))]
    [AddComponentMenu("Segue/Samples/Match Director")]
    public sealed class MatchDirector : MonoBehaviour
    {
        [Tooltip("$MATCH_KEY of the backend, if it has one.")]
        [SerializeField] private string key = "";
        [SerializeField] private string[] events = { "enemy_spotted", "chest_opened", "boss_door_opened", "boss_died" };

        private MatchMusic _match;
        private string _news = "";

        private void Awake() => _match = GetComponent<MatchMusic>();

        private void OnGUI()
        {
            GUILayout.BeginArea(new Rect(20f, 160f, 420f, 120f));
            GUILayout.BeginHorizontal();
            if (GUILayout.Button("begin")) Tell("POST", "/match", JsonUtility.ToJson(new MatchWish { match = _match.Match }));
            if (GUILayout.Button("end")) Tell("DELETE", Path, "{}");
            GUILayout.EndHorizontal();
            GUILayout.BeginHorizontal();
            foreach (string name in events)
            {
                if (GUILayout.Button(name)) Tell("POST", Path + "/event", "{\"event\": \"" + name + "\"}");
            }
            GUILayout.EndHorizontal();
            GUILayout.Label(_news);
            GUILayout.EndArea();
        }

        private string Path => "/match/" + UnityWebRequest.EscapeURL(_match.Match);

        private void Tell(string method, string path, string json) => StartCoroutine(Telling(method, path, json));

        private IEnumerator Telling(string method, string path, string json)
        {
            using (var request = MatchMusic.Sending(method, _match.Backend + path, json))
            {
                if (key.Length > 0) request.SetRequestHeader("authorization", "Bearer " + key);
                yield return request.SendWebRequest();
                _news = request.result == UnityWebRequest.Result.Success ? method + " " + path + ": done" : MatchMusic.Refusal(request);
            }
        }
    }

    /// <summary>What a match is asked for with.</summary>
    [System.Serializable]
    internal sealed class MatchWish
    {
        public string match = "";
    }
}
